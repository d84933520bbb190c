//! What a run may be told from outside.

use model::Attempt;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// How long a claim is held without renewal, T in the design. Writes to metal-api time out within a third of it.
    pub claim_time: Duration,
    /// How often the tip is looked at.
    pub git_interval: Duration,
    /// How often metal-api is read when nothing changes.
    pub metal_interval: Duration,
    /// This engine is alone: allocate and free without a claim where the server refuses claims.
    pub single_writer: bool,
    /// Decides, plans and reports; writes nothing anywhere.
    pub observe: bool,
    /// Drawn once per process; the tag of everything it allocates.
    pub attempt: Attempt,
    /// Named in claims, for people who wonder who holds one.
    pub host: String,
}

impl Options {
    pub const CLAIM_TIME: Duration = Duration::from_secs(30);
    pub const GIT_INTERVAL: Duration = Duration::from_secs(15);
    pub const METAL_INTERVAL: Duration = Duration::from_secs(300);

    /// The defaults of the design.
    pub fn new(branch: &str, attempt: Attempt, host: &str) -> Self {
        Self {
            branch: branch.to_owned(),
            claim_time: Self::CLAIM_TIME,
            git_interval: Self::GIT_INTERVAL,
            metal_interval: Self::METAL_INTERVAL,
            single_writer: false,
            observe: false,
            attempt,
            host: host.to_owned(),
        }
    }

    /// An allocation whose outcome is unknown is not looked for again before this: a request that timed out may still
    /// complete, however short the claim is.
    pub fn unknown_wait(&self) -> Duration {
        (self.claim_time / 2).max(Duration::from_secs(3))
    }
}
