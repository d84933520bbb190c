//! Which objects are due: one queue per controller, fed by every watch.

use crate::api::{MetalStackCluster, MetalStackFirewallDeployment, MetalStackMachine, MetalStackMachineTemplate};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;

/// One queue: many feed it, one controller reads it. Whatever stands in it twice is looked at once.
#[derive(Clone, Debug)]
pub(crate) struct Queue<K: Resource<DynamicType = ()>>(mpsc::UnboundedSender<ObjectRef<K>>);

impl<K: Resource<DynamicType = ()> + 'static> Queue<K> {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<ObjectRef<K>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn add(&self, namespace: &str, name: &str) {
        // Nobody reads it only while the process ends.
        let _ = self.0.send(ObjectRef::new(name).within(namespace));
    }

    pub(crate) fn add_object(&self, object: &K) {
        self.add(&object.namespace().unwrap_or_default(), &object.name_any());
    }
}

/// The queues of all controllers.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    pub clusters: Queue<MetalStackCluster>,
    pub machines: Queue<MetalStackMachine>,
    pub firewalls: Queue<MetalStackFirewallDeployment>,
    pub machine_templates: Queue<MetalStackMachineTemplate>,
}
