//! What a machine's object says: conditions, addresses, labels. Pure.

use super::identity::label_value;
use super::observed::Observed;
use super::request::Refusal;
use crate::api::{AddressType, Condition, ConditionStatus, Initialization, MachineAddress, MetalStackMachineStatus};
use crate::conditions::Conditions;
use crate::reason::{ConditionType, Reason};
use crate::step::{Decision, Rest, passed};
use model::Timestamp;
use model::metal::{Machine, MachineNetworkKind, MachineState};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

type Decided = Decision<super::Action, MetalStackMachineStatus>;

/// metal-api's own tag, of which a label is made.
const CHASSIS: &str = "machine.metal-stack.io/chassis";
/// Slow hardware with many disks takes half of that.
const INSTALLED_BY: Duration = Duration::from_secs(60 * 60);
/// Cluster API's word for a machine that is gone (contract v1beta1).
const GONE: &str = "UpdateError";

/// Only that it is paused: all else stays as it is.
pub(super) fn paused(o: &Observed, now: Timestamp) -> MetalStackMachineStatus {
    let before = o.object.status.clone().unwrap_or_default();
    let mut said = Conditions::default();
    said.is(ConditionType::Paused, Reason::Paused, "paused by the Cluster or by annotation; nothing is done meanwhile");
    let said = said.over(&before.conditions, o.object.metadata.generation, now);
    let is_pause = |c: &Condition| c.type_ == ConditionType::Paused.as_str();
    let mut conditions: Vec<_> = before.conditions.iter().filter(|c| !is_pause(c)).cloned().collect();
    conditions.extend(said.into_iter().filter(is_pause));
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    MetalStackMachineStatus { conditions, ..before }
}

/// Nothing is allocated, for this reason.
pub(super) fn held(o: &Observed, refusal: Refusal, rest: Rest, now: Timestamp) -> Decided {
    let mut said = Conditions::default();
    said.is_not(ConditionType::MachineAllocated, refusal.reason, refusal.message);
    said.sum_up(&[ConditionType::MachineAllocated], Reason::Provisioned, "");
    Decision::rest(rest, status(o, said, now))
}

/// The machine could not be looked at: what is said of it stays (Ready must not flap), and who never said anything
/// says why.
pub(super) fn unread(o: &Observed, refusal: &Refusal, rest: Rest, now: Timestamp) -> Decided {
    let mut said = Conditions::default();
    let was_ready = o.object.status.as_ref().is_some_and(|status| status.ready);
    let kept = said.keep(ConditionType::MachineAllocated, o.conditions());
    said.keep(ConditionType::MachineHealthy, o.conditions());
    if !kept {
        said.is_unknown(ConditionType::MachineAllocated, refusal.reason, refusal.message.clone());
    }
    // One reading without it is no news to who is not ready either.
    let is_passing = refusal.reason == Reason::WaitingForUnknownOutcome;
    let kept = (was_ready || is_passing) && said.keep(ConditionType::Ready, o.conditions());
    // CAPMS said `ready` and had no such condition.
    if !kept && !was_ready {
        said.is_not(ConditionType::Ready, refusal.reason, refusal.message.clone());
    }
    Decision::rest(rest, status(o, said, now))
}

/// The machine is gone, or is somebody else's by now. It is never replaced under the same object (R15).
pub(super) fn lost(o: &Observed, reason: Reason, what: &str, now: Timestamp) -> Decided {
    let message = format!("{what}; delete the Machine, or let a MachineHealthCheck do so, and another is made");
    let mut said = Conditions::default();
    said.is_not(ConditionType::MachineAllocated, reason, message.clone());
    said.sum_up(&[ConditionType::MachineAllocated], Reason::Provisioned, "");
    let mut status = status(o, said, now);
    status.failure_reason = Some(GONE.to_owned());
    status.failure_message = Some(message);
    Decision::rest(Rest::Interval, status)
}

/// The machine as it is; `spare`: others that were allocated for the same object.
pub(super) fn seen(o: &Observed, machine: &Machine, spare: &[&Arc<Machine>], now: Timestamp) -> Decided {
    let mut said = Conditions::default();
    let allocated = allocated(o, machine);
    if spare.is_empty() {
        said.is(ConditionType::MachineAllocated, Reason::Allocated, allocated);
    } else {
        let ids: Vec<&str> = spare.iter().map(|machine| machine.id.as_str()).collect();
        let what = "allocated for this object as well and not used by it; free it with metalctl machine delete";
        said.is(
            ConditionType::MachineAllocated,
            Reason::Ambiguous,
            format!("{allocated}; {} was {what}", ids.join(", ")),
        );
    }
    let healthy = health(machine);
    let rest = if is_on_its_way(machine, now) { Rest::Soon } else { Rest::Interval };
    match healthy {
        Ok(message) => said.is(ConditionType::MachineHealthy, Reason::Healthy, message),
        Err(Refusal { reason, message }) => said.is_not(ConditionType::MachineHealthy, reason, message),
    }
    let healthy = said.get(ConditionType::MachineHealthy).is_some_and(|v| v.status == ConditionStatus::True);
    let runs = format!("machine {} runs", machine.id);
    said.sum_up(&[ConditionType::MachineAllocated, ConditionType::MachineHealthy], Reason::Provisioned, runs);
    let mut status = status(o, said, now);
    let provisioned = status.initialization.and_then(|i| i.provisioned) == Some(true);
    if healthy || provisioned || status.ready {
        status.ready = true;
        status.initialization = Some(Initialization { provisioned: Some(true) });
    }
    status.failure_domain = Some(machine.partition.to_string());
    status.addresses = addresses(machine);
    (status.failure_reason, status.failure_message) = (None, None);
    Decision::rest(rest, status)
}

/// Whether it is worth a look every few seconds: what has not come up after an hour is no news any more.
pub(super) fn is_on_its_way(machine: &Machine, now: Timestamp) -> bool {
    !machine.phoned_home && !machine.created.is_some_and(|created| passed(created, now, INSTALLED_BY))
}

/// It is being deleted, and this is waited for.
pub(super) fn deleting(o: &Observed, refusal: Refusal, rest: Rest, now: Timestamp) -> Decided {
    let mut said = Conditions::default();
    said.keep(ConditionType::MachineAllocated, o.conditions());
    said.keep(ConditionType::MachineHealthy, o.conditions());
    said.is_not(ConditionType::Ready, Reason::Deleting, "the machine is being deleted");
    // The time of this reason is a clock: it begins when the server is freed, whatever was waited for before.
    let begins = refusal.reason == Reason::WaitingForRouteConvergence && converging_since(o, now).is_none();
    said.is(ConditionType::Deleting, refusal.reason, refusal.message);
    let mut before = o.object.status.clone().unwrap_or_default();
    before.conditions.retain(|c| !begins || c.type_ != ConditionType::Deleting.as_str());
    Decision::rest(rest, over(o, before, said, now))
}

/// Since when routes converge after the server was freed; kept in the object, and so known after a restart. A time that
/// is yet to come is another clock's.
pub(super) fn converging_since(o: &Observed, now: Timestamp) -> Option<Timestamp> {
    says(o, Reason::WaitingForRouteConvergence).filter(|since| *since <= now)
}

/// Since when the object says that its deletion waits for this.
pub(super) fn says(o: &Observed, reason: Reason) -> Option<Timestamp> {
    let is = |c: &&crate::api::Condition| c.type_ == ConditionType::Deleting.as_str() && c.reason == reason.as_str();
    o.conditions().iter().find(is).map(|c| c.last_transition_time.0)
}

/// The labels of the object that tell where its server is, each valid as a label.
pub(super) fn labels(machine: &Machine) -> BTreeMap<&'static str, String> {
    let asn = machine.asn.map(|asn| asn.to_string());
    let all = [
        ("kubernetes.io/hostname", Some(machine.hostname.as_str())),
        ("topology.kubernetes.io/zone", Some(machine.partition.as_str())),
        ("machine.metal-stack.io/rack", Some(machine.rack.as_str())),
        ("machine.metal-stack.io/network.primary.asn", asn.as_deref()),
        (CHASSIS, machine.tags.get(CHASSIS)),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, label_value(value?)?))).collect()
}

/// What was allocated, and what the spec now says otherwise (D49).
fn allocated(o: &Observed, machine: &Machine) -> String {
    let spec = &o.object.spec;
    let mut differs = Vec::new();
    if !is_image(&spec.image, &machine.image) {
        differs.push(format!("image {} (the spec says {})", machine.image, spec.image));
    }
    let chosen = spec.machine_uuid.as_deref().is_some_and(|uuid| !uuid.is_empty());
    if spec.size != machine.size.as_str() && !chosen {
        differs.push(format!("size {} (the spec says {})", machine.size, spec.size));
    }
    let base = format!("machine {} in partition {}", machine.id, machine.partition);
    if differs.is_empty() {
        return base;
    }
    let differs = differs.join(" and ");
    format!("{base} has {differs}; a live machine is not changed: roll its MachineDeployment or control plane instead")
}

/// Whether the image of a machine is one that the spec means: the spec may name the newest patch.
fn is_image(wanted: &str, image: &model::ImageId) -> bool {
    let version = |id: &model::ImageId| model::want::image_version(id);
    let wanted_version = model::ImageId::parse(wanted).ok().as_ref().and_then(version);
    match (wanted_version, version(image)) {
        (Some(wanted), Some(is)) => wanted.admits(&is),
        _ => wanted == image.as_str(),
    }
}

fn health(machine: &Machine) -> Result<String, Refusal> {
    let id = &machine.id;
    let locked = match (machine.state, machine.state_description.as_str()) {
        (MachineState::Locked, "") => "; it is locked and cannot be freed".to_owned(),
        (MachineState::Locked, why) => format!("; it is locked and cannot be freed ({why})"),
        (MachineState::Available | MachineState::Reserved, _) => String::new(),
    };
    let look = format!("look at it with metalctl machine describe {id}");
    let bad = |reason, message: String| Err(Refusal::new(reason, format!("{message}{locked}")));
    if machine.crash_loop {
        return bad(Reason::CrashLoop, format!("machine {id} boots again and again; {look}"));
    }
    if machine.failed_reclaim {
        let what = "still runs the system of its former allocation";
        return bad(Reason::ReclaimFailed, format!("machine {id} {what}; {look}"));
    }
    if !machine.alive {
        return bad(Reason::NotAlive, format!("machine {id} sends no sign of life; {look}"));
    }
    if !machine.phoned_home {
        let last = machine.last_event.as_ref().map_or("none yet", |last| last.event.as_str());
        let message = format!("machine {id} is being installed (last event: {last}); this takes some minutes");
        return bad(Reason::WaitingForPhoneHome, message);
    }
    Ok(format!("machine {id} is alive{locked}"))
}

/// Sorted: metal-api's order is no order.
fn addresses(machine: &Machine) -> Vec<MachineAddress> {
    let of = |is: fn(MachineNetworkKind) -> bool| {
        let networks = machine.networks.iter().filter(|network| is(network.kind));
        let mut ips: Vec<IpAddr> = networks.flat_map(|network| network.ips.iter().copied()).collect();
        ips.sort_unstable();
        ips.dedup();
        ips
    };
    let as_type = |type_| move |ip: IpAddr| MachineAddress { type_, address: ip.to_string() };
    let hostname = Some(machine.hostname.clone()).filter(|name| !name.is_empty());
    let mut all: Vec<MachineAddress> =
        hostname.map(|address| MachineAddress { type_: AddressType::Hostname, address }).into_iter().collect();
    all.extend(of(MachineNetworkKind::is_primary).into_iter().map(as_type(AddressType::InternalIp)));
    all.extend(of(|kind| kind == MachineNetworkKind::External).into_iter().map(as_type(AddressType::ExternalIp)));
    all
}

fn status(o: &Observed, said: Conditions, now: Timestamp) -> MetalStackMachineStatus {
    over(o, o.object.status.clone().unwrap_or_default(), said, now)
}

fn over(
    o: &Observed,
    before: MetalStackMachineStatus,
    mut said: Conditions,
    now: Timestamp,
) -> MetalStackMachineStatus {
    said.is_not(ConditionType::Paused, Reason::NotPaused, "");
    let conditions = said.over(&before.conditions, o.object.metadata.generation, now);
    MetalStackMachineStatus { conditions, ..before }
}
