//! Which networks a machine may join, and what each is to it (check 18).

use super::spec::Spec;
use crate::{
    refusal::Refusal,
    world::{NetworkRow, World, is_private},
};
use std::{collections::BTreeSet, net::IpAddr};

/// A network of the allocation.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) network: NetworkRow,
    pub(super) autoacquire: bool,
    pub(super) ips: Vec<IpAddr>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    PrivatePrimaryUnshared,
    PrivatePrimaryShared,
    PrivateSecondaryShared,
    External,
    Underlay,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::PrivatePrimaryUnshared => "privateprimaryunshared",
            Self::PrivatePrimaryShared => "privateprimaryshared",
            Self::PrivateSecondaryShared => "privatesecondaryshared",
            Self::External => "external",
            Self::Underlay => "underlay",
        }
    }

    pub(super) fn is_private(self) -> bool {
        matches!(self, Self::PrivatePrimaryUnshared | Self::PrivatePrimaryShared | Self::PrivateSecondaryShared)
    }
}

pub(super) fn gather(world: &World, spec: &Spec) -> Result<Vec<Gathered>, Refusal> {
    let mut gathered = named(world, spec)?;
    classify(&mut gathered)?;
    check_private(&gathered, spec)?;
    give_ips(world, &mut gathered, spec)?;
    check_place(&gathered, spec)?;
    if spec.role == "firewall" {
        gathered.push(underlay(world, &spec.partition)?);
    }
    Ok(gathered)
}

fn named(world: &World, spec: &Spec) -> Result<Vec<Gathered>, Refusal> {
    let mut ids = BTreeSet::new();
    let mut gathered = Vec::new();
    for asked in &spec.networks {
        let id = asked.networkid.as_deref().unwrap_or_default();
        if !ids.insert(id) {
            return Err(Refusal::unprocessable("given network ids are not unique"));
        }
        let network = world.network(id)?.clone();
        if network.wire.underlay {
            return Err(Refusal::unprocessable("underlay networks are not allowed to be set explicitly"));
        }
        if network.wire.privatesuper {
            return Err(Refusal::unprocessable("private super networks are not allowed to be set explicitly"));
        }
        let autoacquire = asked.autoacquire != Some(false);
        gathered.push(Gathered { network, autoacquire, ips: Vec::new(), kind: Kind::External });
    }
    Ok(gathered)
}

/// The primary network is the one unshared private one, else the only shared one.
fn classify(gathered: &mut [Gathered]) -> Result<(), Refusal> {
    let mut unshared = 0;
    let mut shared = 0;
    for one in gathered.iter_mut().filter(|one| is_private(&one.network.wire)) {
        if one.network.wire.shared {
            shared += 1;
            one.kind = Kind::PrivateSecondaryShared;
        } else {
            unshared += 1;
            one.kind = Kind::PrivatePrimaryUnshared;
        }
    }
    let several = "multiple private networks are specified but there must be only one primary private network that must not be shared";
    match (unshared, shared) {
        (0, 0) => Err(Refusal::unprocessable("no private network given")),
        (0, 1) => {
            gathered
                .iter_mut()
                .filter(|one| one.kind == Kind::PrivateSecondaryShared)
                .for_each(|one| one.kind = Kind::PrivatePrimaryShared);
            Ok(())
        }
        (1, _) => Ok(()),
        _ => Err(Refusal::unprocessable(several)),
    }
}

fn check_private(gathered: &[Gathered], spec: &Spec) -> Result<(), Refusal> {
    if spec.role == "machine" && gathered.iter().filter(|one| one.kind.is_private()).count() > 1 {
        let text = "machines are not allowed to be placed into multiple private networks";
        return Err(Refusal::unprocessable(text));
    }
    // A shared network may be another project's.
    let foreign =
        |one: &Gathered| one.kind == Kind::PrivatePrimaryUnshared && one.network.wire.projectid != spec.project;
    match gathered.iter().any(foreign) {
        true => Err(Refusal::unprocessable(
            "the given private network does not belong to the project, which is not allowed",
        )),
        false => Ok(()),
    }
}

/// An address turns the automatic one of its network off.
fn give_ips(world: &World, gathered: &mut [Gathered], spec: &Spec) -> Result<(), Refusal> {
    for ip in &spec.ips {
        let text = ip.to_string();
        let row = world.ips.get(&text).ok_or_else(|| Refusal::no("ip", &text))?;
        if row.wire.projectid != spec.project {
            return Err(Refusal::unprocessable(format!(
                "given ip {text} with project id {} does not belong to the project of this allocation: {}",
                row.wire.projectid, spec.project
            )));
        }
        let Some(one) = gathered.iter_mut().find(|one| one.network.id() == row.wire.networkid) else {
            return Err(Refusal::unprocessable(format!(
                "given ip {text} is not in any of the given networks, which is required"
            )));
        };
        one.autoacquire = false;
        one.ips.push(*ip);
    }
    Ok(())
}

fn check_place(gathered: &[Gathered], spec: &Spec) -> Result<(), Refusal> {
    for one in gathered.iter().filter(|one| one.kind.is_private()) {
        if one.network.wire.partitionid != spec.partition {
            let text = format!(
                "private network {:?} must be located in the partition where the machine is going to be placed",
                one.network.id()
            );
            return Err(Refusal::unprocessable(text));
        }
        if !one.autoacquire && one.ips.is_empty() {
            let text = format!(
                "the private network {:?} has no auto ip acquisition, but no suitable ips were provided, which would lead into a machine having no ip address",
                one.network.id()
            );
            return Err(Refusal::unprocessable(text));
        }
    }
    Ok(())
}

fn underlay(world: &World, partition: &str) -> Result<Gathered, Refusal> {
    let terms = [format!("partition={partition}")];
    let found = world.networks.with_terms(&terms).find(|row| row.wire.underlay).cloned();
    let network =
        found.ok_or_else(|| Refusal::unprocessable(format!("no underlay found in the given partition:{partition}")))?;
    Ok(Gathered { network, autoacquire: true, ips: Vec::new(), kind: Kind::Underlay })
}
