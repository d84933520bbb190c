//! A lost value (I5): nothing replaces it until a person answers, and then exactly what the answer says.

use crate::cluster::{Context, claimed};
use crate::committed::Committed;
use crate::{ClusterPlan, Loss, LossKind, Note, Recover, Step, requests};
use model::definition::AllowReplacement;
use model::request::Request;
use model::{Origin, Reason, Slot};
use std::net::IpAddr;

/// What happens to a slot whose value is lost.
pub(crate) fn step(context: &Context<'_>, value: &Committed, loss: &Loss, plan: &mut ClusterPlan) -> Step {
    let keep = Step::Keep { slot: value.slot.clone() };
    let key = (context.wanted.id.clone(), value.slot.clone());
    let answer = context.setting.said.recover.get(&key).copied();
    match answered(context, value, loss, answer) {
        Ok(step) => step,
        Err((reason, words)) => {
            plan.notes.push(Note::new(reason, format!("{loss}; {words}")));
            keep
        }
    }
}

/// Why the value stays as it is, and what to do.
type Stays = (Reason, String);

fn answered(context: &Context<'_>, value: &Committed, loss: &Loss, answer: Option<Recover>) -> Result<Step, Stays> {
    let lost = |words: String| (Reason::Lost, words);
    match value.origin {
        Origin::Allocated => {}
        Origin::Adopted | Origin::Spec => {
            return Err(lost("a person supplied it: name another one in the definition".to_owned()));
        }
        Origin::Delegated => {
            return Err(lost("the Cluster API provider allocated it and has to replace it".to_owned()));
        }
    }
    let (cluster, slot) = (&context.wanted.id, &value.slot);
    let Some(answer) = answer else {
        return Err(lost(format!(
            "nothing is allocated in its place until a person answers: `ferrofleet recover {cluster} --slot {slot}` for \
             the same one, with `--reallocate` for another one"
        )));
    };
    may(context, value, loss, answer)?;
    if let Some(step) = found(context, value, answer)? {
        return Ok(step);
    }
    let mut request = requests::request(context, slot)?;
    if let (Request::Ip(request), Recover::Same) = (&mut request, answer) {
        // The API's own compare-and-swap: 409 when somebody has it by now.
        request.address = address(value);
    }
    Ok(Step::Allocate { slot: slot.clone(), request: Box::new(request) })
}

/// Whether an answer can be carried out.
fn may(context: &Context<'_>, value: &Committed, loss: &Loss, answer: Recover) -> Result<(), Stays> {
    let cluster = &context.wanted.id;
    let (slot, id) = (&value.slot, value.id());
    match (answer, slot) {
        (Recover::Same, Slot::Network) => Err((
            Reason::Lost,
            format!(
                "metal-api gives nobody a node network with given prefixes: have an administrator of metal-stack restore \
                 `{id}`, or answer with `ferrofleet recover {cluster} --slot network --reallocate`"
            ),
        )),
        (Recover::Same, Slot::Vip | Slot::Egress(_)) => match &loss.kind {
            LossKind::ClaimedBy(whom) => Err((
                Reason::Lost,
                format!("it cannot be had while {whom} has it: free it there, or answer with `--reallocate`"),
            )),
            LossKind::Missing | LossKind::Gone | LossKind::Reallocated => Ok(()),
        },
        (Recover::New, Slot::Network | Slot::Vip | Slot::Egress(_)) => {
            if context.wanted.effective.allow_replacement.value == AllowReplacement::Always {
                return Ok(());
            }
            let what = match slot {
                Slot::Egress(_) => "the firewall",
                Slot::Network | Slot::Vip | Slot::Firewall(_) => "machines of the cluster",
            };
            Err((
                Reason::ReplacementNotAllowed,
                format!(
                    "another one replaces {what}, and rollout.allowReplacement is never: set it to always in a commit of \
                     its own, then answer again"
                ),
            ))
        }
        (_, Slot::Firewall(_)) => Err((Reason::Lost, "the engine replaces a firewall by itself".to_owned())),
    }
}

/// What an earlier run allocated for this answer, whose lock did not land (I1).
fn found(context: &Context<'_>, value: &Committed, answer: Recover) -> Result<Option<Step>, Stays> {
    let slot = &value.slot;
    let hits = context.index.hits(&context.wanted.id.to_string(), slot);
    let project = &context.wanted.identity.project;
    let fits = |id: String| match answer {
        Recover::Same => id == value.id(),
        Recover::New => true,
    };
    let ours = hits.iter().filter(|hit| hit.is_ours(context.fleet, slot) && hit.project == project);
    let mut ours = ours.filter(|hit| fits(hit.resource.id()));
    if let Some(hit) = ours.next() {
        let resource = Box::new(hit.resource.owned());
        return Ok(Some(Step::Use { slot: slot.clone(), resource, origin: Origin::Allocated }));
    }
    let others: Vec<_> = hits.into_iter().filter(|hit| !hit.is_ours(context.fleet, slot)).collect();
    claimed(&others, slot).map_or(Ok(None), |words| Err((Reason::Claimed, words)))
}

fn address(value: &Committed) -> Option<IpAddr> {
    match value.target {
        model::request::Target::Ip { address, .. } => Some(address),
        model::request::Target::Network(_)
        | model::request::Target::Service { .. }
        | model::request::Target::Machine { .. } => None,
    }
}
