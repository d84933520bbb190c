//! Why a turn of the loop did not end well.

use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the remote has no branch `{branch}`; push a first commit to it (see `ferrofleet init`)")]
    BranchMissing { branch: String },
    #[error("{branch} moved {tries} times while the engine was pushing; it tries again at the next turn")]
    Outraced { branch: String, tries: u32 },
    #[error("the remote refused the commit to {branch}: {refusal}")]
    PushRefused { branch: String, refusal: git::Refusal },
    #[error("fleet.yaml names the metal-api `{name}`, which the engine was not told of; it knows: {known}")]
    MetalNotConfigured { name: String, known: String },
    #[error("fleet.yaml names the output repository `{repo}`, which the engine was not told of; it knows: {known}")]
    OutputNotConfigured { repo: String, known: String },
    #[error(
        "the output cannot go to branch `{branch}` beside `{own}`: Git has no branch below another one, and `ferrofleet-claim/` is the engine's"
    )]
    OutputBranch { branch: String, own: String },
    #[error("the branch moved while its output was read; it is read again at the next turn")]
    Behind,
    #[error("{place} holds the output of fleet `{fleet}`; give each fleet a branch of its own (spec.output)")]
    OutputTaken { place: String, fleet: String },
    #[error(
        "the output that was at {place} is gone or was rewritten, and rendering it anew could replace machines (R1); push \
         it back, or accept that with an empty commit on {branch} whose message ends with a paragraph `Fleet-Ack: \
         OutputLost {place}`"
    )]
    OutputLost { place: String, branch: String },
    #[error("another run holds the claim; try again when it has ended")]
    ClaimHeld,
    #[error(
        "the remote refuses claims, so nothing is freed: {words}; allow refs/ferrofleet/claim/*, or say --single-writer if \
         this engine is the only one"
    )]
    ClaimRefused { words: String },
    #[error("not done within {limit:?}; the next run goes on from what is at the tip")]
    TimedOut { limit: Duration },
    #[error("ended by a signal before it was done; the next run goes on from what is at the tip")]
    Stopped,
    #[error(transparent)]
    Edit(#[from] render::EditError),
    #[error(transparent)]
    Remote(#[from] git::Error),
}
