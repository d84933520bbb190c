//! The trailers of engine commits and of people's answers: the last paragraph of a message, `Key: value` each.

use git::Oid;
use model::request::{Free, FreeReason};
use model::{ClusterId, Digest, Slot};

pub(super) const RUN: &str = "Fleet-Run";
pub(super) const SOURCE: &str = "Fleet-Source";
pub(super) const CLUSTER: &str = "Fleet-Cluster";
pub(super) const PARENT: &str = "Fleet-Parent";
pub(super) const NAME: &str = "Fleet-Name";
pub(super) const OUTPUT: &str = "Fleet-Output";
pub(super) const OUTPUT_AT: &str = "Fleet-Output-At";
pub(super) const REASON: &str = "Fleet-Reason";
pub(super) const INPUTS: &str = "Fleet-Inputs";
pub(super) const PLAN: &str = "Fleet-Plan";
pub(super) const FREED: &str = "Fleet-Freed";
pub(super) const HELD: &str = "Fleet-Held";
pub(super) const ACK_ENDED: &str = "Fleet-Ack-Ended";
pub(crate) const ACK: &str = "Fleet-Ack";
pub(crate) const RECOVER: &str = "Fleet-Recover";
pub(super) const NONE: &str = "none";

/// The trailers of an engine commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailers {
    pub run: String,
    /// The commit of the definitions that it was made from, and on where the output has no branch of its own.
    pub source: Option<Oid>,
    /// Of a commit of output alone: what it was made on, inner None for a branch's first commit.
    pub parent: Option<Option<Oid>>,
    /// Whose it is; commits of definitions before this was written do not say.
    pub fleet: Option<String>,
    /// Of a commit of definitions whose output goes elsewhere: where.
    pub output: Option<OutputTrailer>,
    pub clusters: Vec<ClusterId>,
    /// Why: `resolve`, `render` and so on, several with commas.
    pub reason: String,
    pub held: Vec<HeldTrailer>,
    pub freed: Vec<FreedTrailer>,
    /// Answers that count no more, as `<condition> <subject>`.
    pub ended: Vec<String>,
    /// Of the plan that it carries out.
    pub plan: Option<String>,
}

/// Where the output of a commit's locks is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputTrailer {
    pub place: String,
    /// What was there before.
    pub at: Option<Oid>,
}

/// A cluster that a person took back, and what its inputs were then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldTrailer {
    pub cluster: ClusterId,
    pub digest: Digest,
    /// The commit that reverted it.
    pub by: Option<Oid>,
}

/// What a run freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreedTrailer {
    pub cluster: ClusterId,
    pub slot: Slot,
    pub id: String,
    /// Counts against `limits.freesPerHour`.
    pub is_deletion: bool,
    /// As it stands there.
    pub text: String,
}

/// Reads the trailers of an engine back; None for a commit of anybody else.
pub fn trailers(message: &str) -> Option<Trailers> {
    let run = found(message, RUN)?.to_owned();
    let id = |text: &str| match text {
        NONE => Some(None),
        id => id.parse().ok().map(Some),
    };
    let at = found(message, OUTPUT_AT).and_then(id).flatten();
    Some(Trailers {
        run,
        source: found(message, SOURCE).and_then(|id| id.parse().ok()),
        parent: found(message, PARENT).and_then(id),
        fleet: found(message, NAME).map(str::to_owned),
        output: found(message, OUTPUT).map(|place| OutputTrailer { place: place.to_owned(), at }),
        clusters: all(message, CLUSTER).filter_map(|id| id.parse().ok()).collect(),
        reason: found(message, REASON).unwrap_or_default().to_owned(),
        held: all(message, HELD).filter_map(held).collect(),
        freed: all(message, FREED).filter_map(freed).collect(),
        ended: all(message, ACK_ENDED).map(str::to_owned).collect(),
        plan: found(message, PLAN).map(str::to_owned),
    })
}

/// The values of one trailer. Trailers are the last paragraph: a person who quotes one in a body is no engine.
pub(crate) fn all<'a>(message: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    last.lines().filter_map(move |line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.trim()))
}

fn found<'a>(message: &'a str, key: &'a str) -> Option<&'a str> {
    all(message, key).next()
}

fn held(text: &str) -> Option<HeldTrailer> {
    let mut words = text.split_whitespace();
    let cluster = words.next()?.parse().ok()?;
    let digest = Digest::parse(words.next()?)?;
    Some(HeldTrailer { cluster, digest, by: words.next().and_then(|id| id.parse().ok()) })
}

fn freed(text: &str) -> Option<FreedTrailer> {
    let mut words = text.split_whitespace();
    let (cluster, slot) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let id = words.next()?.to_owned();
    let is_deletion = words.next() == Some(kind(&FreeReason::Deletion));
    Some(FreedTrailer { cluster, slot, id, is_deletion, text: text.to_owned() })
}

/// One freed resource as a trailer's value.
pub(super) fn freed_value(free: &Free) -> String {
    format!("{} {} {} {}", free.cluster, free.slot, free.target, kind(&free.why))
}

fn kind(why: &FreeReason) -> &'static str {
    match why {
        FreeReason::Duplicate { .. } => "duplicate",
        FreeReason::Replaced { .. } => "replaced",
        FreeReason::Unwanted => "unwanted",
        FreeReason::Leftover => "leftover",
        FreeReason::Deletion => "deletion",
        FreeReason::Orphan => "orphan",
    }
}
