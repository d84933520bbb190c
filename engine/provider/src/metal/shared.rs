//! What metal-api has for all projects: read once per credential and interval, whoever asks first.

use super::{DoorError, access::Access};
use metal_api::{Guarded, HttpMetal, Metal as _};
use model::metal::{Image, Network};
use model::{Clock, NetworkId, PartitionId, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// A failure serves all who waited for it, and those who come this soon after.
const FAILURE_SERVES: Duration = Duration::from_secs(3);

#[derive(Clone, Debug)]
pub(super) struct SharedLists {
    pub(super) networks: Arc<BTreeMap<NetworkId, Arc<Network>>>,
    pub(super) partitions: Arc<BTreeSet<PartitionId>>,
}

/// The newest reading of it, well or not, and when it began.
#[derive(Default)]
pub(super) struct Shared(Mutex<Option<(Timestamp, Result<SharedLists, DoorError>)>>, Images);

/// Read only where somebody asks for images.
type Images = Mutex<Option<(Timestamp, Arc<[Image]>)>>;

impl Shared {
    pub(super) async fn lists(
        &self,
        access: &Access,
        metal: &Guarded<HttpMetal>,
        clock: &dyn Clock,
        interval: Duration,
    ) -> Result<SharedLists, DoorError> {
        let mut held = self.0.lock().await;
        let now = clock.now();
        if let Some((at, lists)) = &*held {
            let serves = if lists.is_ok() { interval } else { FAILURE_SERVES.min(interval) };
            if Duration::try_from(now.duration_since(*at)).is_ok_and(|age| age < serves) {
                return lists.clone();
            }
        }
        let lists = read(access, metal).await;
        // A failure is as old as its end: who waited for it does not wait again.
        let at = if lists.is_ok() { now } else { clock.now() };
        *held = Some((at, lists.clone()));
        lists
    }

    pub(super) async fn images(
        &self,
        access: &Access,
        metal: &Guarded<HttpMetal>,
        clock: &dyn Clock,
        interval: Duration,
    ) -> Result<Arc<[Image]>, DoorError> {
        let mut held = self.1.lock().await;
        let now = clock.now();
        if let Some((at, images)) = &*held
            && Duration::try_from(now.duration_since(*at)).is_ok_and(|age| age < interval)
        {
            return Ok(Arc::clone(images));
        }
        let images: Arc<[Image]> = access.call(metal.images()).await?.into();
        *held = Some((now, Arc::clone(&images)));
        Ok(images)
    }
}

async fn read(access: &Access, metal: &Guarded<HttpMetal>) -> Result<SharedLists, DoorError> {
    let (networks, partitions) =
        tokio::try_join!(access.call(metal.shared_networks()), access.call(metal.partitions()))?;
    Ok(SharedLists {
        networks: Arc::new(networks.into_iter().map(|network| (network.id.clone(), Arc::new(network))).collect()),
        partitions: Arc::new(partitions.into_iter().collect()),
    })
}
