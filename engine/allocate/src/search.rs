//! Finds what this process may have allocated: by attempt, cluster and slot.

use metal_api::{Metal, Result};
use model::metal::MachineRole;
use model::request::Resource;
use model::{Attempt, ClusterId, ProjectId, Slot, Tags, tags};

pub(crate) async fn own<M: Metal>(
    metal: &M,
    project: &ProjectId,
    cluster: &ClusterId,
    slot: &Slot,
    attempt: &Attempt,
) -> Result<Option<Resource>> {
    let cluster = cluster.to_string();
    // metal-api narrows by attempt and slot; the cluster stands under another key on each kind.
    let mark = Tags::new().with(tags::ATTEMPT, attempt).with(tags::SLOT, slot);
    let hits: Vec<Resource> = match slot {
        Slot::Network => metal.networks(project, &mark).await?.into_iter().map(Resource::Network).collect(),
        Slot::Vip | Slot::Egress(_) => metal.ips(project, &mark).await?.into_iter().map(Resource::Ip).collect(),
        Slot::Firewall(_) => {
            let machines = metal.machines(project, Some(MachineRole::Firewall), &mark).await?;
            machines.into_iter().map(Resource::Machine).collect()
        }
    };
    let ours = hits.into_iter().filter(|hit| hit.tags().cluster() == Some(cluster.as_str()));
    Ok(ours.min_by_key(|hit| (hit.created(), hit.id())))
}
