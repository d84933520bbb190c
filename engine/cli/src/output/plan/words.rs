//! Sentences about the parts of a plan, the same in every form.

use super::{Report, Totals};
use crate::output::{count, diff::Counts, plan::files::Kind};
use ::plan::{CapacityLine, Deleting, Loss, Next};
use model::lock::DeletionPhase;
use render::{Effect, Impact};

/// Fields that are named; a changed template may differ in dozens.
const FIELDS_MAX: usize = 4;

/// What has machines below it.
const MACHINES_OF: [&str; 3] = ["KubeadmControlPlane/", "MachineDeployment/", "Firewall/"];

/// Said first, wherever a plan has a gap.
pub(super) const INCOMPLETE: &str = "part of metal-api did not answer, so this is not all that a run would do; do not act \
                                     on it";

pub(super) fn action(effect: Effect) -> &'static str {
    match effect {
        Effect::Create => "create",
        Effect::Keep => "keep",
        Effect::InPlace => "in place",
        Effect::Replace => "replace",
        Effect::Remove => "remove",
    }
}

/// What becomes of an object and of its machines, and why.
pub(super) fn impact(impact: &Impact) -> String {
    let what = outcome(impact);
    let fields = places(&impact.fields);
    let mut named = fields.iter().take(FIELDS_MAX).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = fields.len().checked_sub(FIELDS_MAX).filter(|more| *more > 0) {
        named = format!("{named} and {more} more");
    }
    match (what.is_empty(), named.is_empty()) {
        (false, false) => format!("{what}, because of {named}"),
        (true, false) => named,
        (_, true) => what,
    }
}

/// JSON pointers as people read them; of annotations and labels only that they change.
fn places(fields: &[String]) -> Vec<String> {
    let place = |field: &String| {
        let whole = ["/metadata/annotations", "/metadata/labels"].into_iter().find(|whole| field.starts_with(whole));
        whole.map_or_else(|| field.replace("~1", "/").replace("~0", "~"), str::to_owned)
    };
    let mut places: Vec<_> = fields.iter().map(place).collect();
    places.dedup();
    places
}

/// Whether there is anything to say: an object without machines that stays as it is has nothing.
pub(super) fn is_told(impact: &Impact) -> bool {
    impact.effect != Effect::Keep || !outcome(impact).is_empty()
}

/// A sentence about what is waited for, after a word that says so.
pub(crate) fn wait(sentence: &str) -> &str {
    sentence.strip_prefix("waits ").unwrap_or(sentence)
}

/// What becomes of its machines; empty for what has none.
pub(super) fn outcome(impact: &Impact) -> String {
    let Impact { object, effect, before, after, replaced, surge, fields: _ } = impact;
    let machines = |n: u32| count(usize::try_from(n).unwrap_or(usize::MAX), "machine");
    if !MACHINES_OF.iter().any(|kind| object.starts_with(kind)) {
        return String::new();
    }
    match (effect, before, after) {
        (Effect::Create, _, Some(after)) => machines(*after),
        (Effect::Create, _, None) => "as many machines as the autoscaler wants".to_owned(),
        (Effect::Keep, Some(1), _) => "1 machine stays".to_owned(),
        (Effect::Keep, Some(before), _) => format!("{} stay", machines(*before)),
        (Effect::Keep, None, _) => "every machine stays".to_owned(),
        (Effect::InPlace, Some(before), Some(after)) if before > after => {
            format!("{before} to {}, {} freed", machines(*after), before - after)
        }
        (Effect::InPlace, Some(before), Some(after)) if before < after => format!("{before} to {}", machines(*after)),
        (Effect::InPlace, _, _) => "every machine stays".to_owned(),
        (Effect::Replace, Some(before), _) => {
            let spare = if *surge == 0 { String::new() } else { format!(" ({surge} spare needed)") };
            format!("replace {replaced} of {}{spare}", machines(*before))
        }
        (Effect::Replace, None, _) => "replace every machine; only the management cluster knows how many".to_owned(),
        (Effect::Remove, Some(before), _) => format!("{} freed", machines(*before)),
        (Effect::Remove, None, _) => "its machines are freed".to_owned(),
    }
}

/// What a run does next to a cluster that is being deleted.
pub(crate) fn next(deleting: &Deleting) -> String {
    match deleting.next {
        Next::Wait => "waits".to_owned(),
        Next::Enter(next) => format!("a commit enters phase {}: {}", phase(next), entering(next)),
        Next::Free => "frees what is due".to_owned(),
        Next::End if deleting.phase.is_none() => "frees the rest and forgets it".to_owned(),
        Next::End => "nothing is left to free now: its lock goes".to_owned(),
    }
}

pub(crate) fn phase(phase: DeletionPhase) -> &'static str {
    match phase {
        DeletionPhase::Confirmed => "confirmed",
        DeletionPhase::Removing => "removing",
        DeletionPhase::Freeing => "freeing",
    }
}

fn entering(phase: DeletionPhase) -> &'static str {
    match phase {
        DeletionPhase::Confirmed => "the prune guard of the Cluster is lifted",
        DeletionPhase::Removing => "the Cluster's files leave Git, and Cluster API deletes it",
        DeletionPhase::Freeing => "the rest of its files leaves Git",
    }
}

/// A phase, or what comes after the last one.
pub(crate) fn stage(deleting: &Deleting) -> &'static str {
    deleting.phase.map_or("tombstone", phase)
}

/// With whose it is.
pub(crate) fn loss(loss: &Loss) -> String {
    format!("{}: {loss}, in project {}", loss.cluster, loss.project)
}

pub(super) fn capacity(line: &CapacityLine) -> String {
    let CapacityLine { partition, size, need, free, reserve, waiting } = line;
    let reserved = if *reserve == 0 { String::new() } else { format!(", {reserve} of them to stay free") };
    let short = waiting.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let short = if short.is_empty() { String::new() } else { format!("; short: {short}") };
    format!("{size} in {partition}: {need} needed, {free} free{reserved}{short}")
}

pub(super) fn file(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "create",
        Kind::Write => "write",
        Kind::Remove => "remove",
    }
}

pub(super) fn counts(Counts { added, removed }: Counts) -> String {
    [(added, '+'), (removed, '-')]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, sign)| format!("{sign}{n}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `3 to allocate, 0 to free, 0 files to write`.
pub(super) fn totals(report: &Report) -> String {
    let Totals { allocations, frees, files, replaced } = report.totals();
    if allocations + frees + files == 0 {
        let waits = if report.is_pending() { " now, and something is waited for" } else { "" };
        return format!("nothing to do{waits}");
    }
    let mut parts = vec![
        format!("{allocations} to allocate"),
        format!("{frees} to free"),
        format!("{} to write", count(files, "file")),
    ];
    if replaced > 0 {
        parts.push(format!("{} to replace", count(usize::try_from(replaced).unwrap_or(usize::MAX), "machine")));
    }
    parts.join(", ")
}
