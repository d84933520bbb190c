//! A project of which nothing is concluded (R15), and a person's word that it is as it should be.

use crate::metal::{Suspect, View};
use crate::names;
use crate::reason::Reason;
use crate::step::Failure;
use kube::ResourceExt;

/// Whether a person acknowledged it: on the MetalStackCluster, else on the object itself.
pub(crate) fn is_acknowledged(cluster: Option<&dyn Annotated>, object: &dyn Annotated, view: &View) -> bool {
    let ack = cluster.and_then(Annotated::ack).or_else(|| object.ack());
    ack.is_some_and(|ack| names::acknowledges(ack, view.read_at))
}

/// Why nothing is done there, and what ends it.
pub(crate) fn suspicion(suspect: &Suspect) -> Failure {
    let message = format!(
        "{suspect}; nothing is allocated, freed or concluded there until it clears, or the MetalStackCluster is annotated \
         {}={}",
        names::ACK,
        names::ACK_SUSPECT
    );
    Failure { reason: Reason::Suspect, message, unknown_outcome: false, after: None }
}

/// What can carry the word.
pub(crate) trait Annotated {
    fn ack(&self) -> Option<&str>;
}

impl<K: ResourceExt> Annotated for K {
    fn ack(&self) -> Option<&str> {
        self.annotations().get(names::ACK).map(String::as_str)
    }
}
