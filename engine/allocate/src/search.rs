//! Finds what this process may have allocated: by attempt, cluster and slot.

use metal_api::{Error, Metal};
use model::request::Resource;
use model::{Attempt, ClusterId, ProjectId, Slot, Tags};

pub(crate) async fn own<M: Metal>(
    metal: &M,
    project: &ProjectId,
    cluster: &ClusterId,
    slot: &Slot,
    attempt: &Attempt,
) -> Result<Option<Resource>, Error> {
    let cluster = cluster.to_string();
    let ours = |tags: &Tags| {
        tags.cluster() == Some(cluster.as_str())
            && tags.mark().is_some_and(|m| m.slot == *slot && m.attempt == attempt.as_str())
    };
    Ok(match slot {
        Slot::Network => {
            let mut hits = metal.networks(project).await?;
            hits.retain(|n| ours(&n.labels));
            hits.into_iter().min_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id))).map(Resource::Network)
        }
        Slot::Vip | Slot::Egress(_) => {
            let mut hits = metal.ips(project).await?;
            hits.retain(|ip| ours(&ip.tags));
            hits.into_iter().min_by(|a, b| (a.created, a.address).cmp(&(b.created, b.address))).map(Resource::Ip)
        }
        Slot::Firewall(_) => {
            let mut hits = metal.firewalls(project).await?;
            hits.retain(|m| ours(&m.tags));
            hits.into_iter().min_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id))).map(Resource::Machine)
        }
    })
}
