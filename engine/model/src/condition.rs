//! Conditions: what a cluster waits for or needs a person for. In a lock only those that change with content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// One condition of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: ConditionStatus,
    pub reason: Reason,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Condition {
    pub const RESOLVED: &str = "Resolved";
    pub const AVAILABLE: &str = "Available";

    /// `Resolved`: whether every slot of the cluster is known.
    pub fn resolved(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: Self::RESOLVED.to_owned(), status, reason, message: message.into() }
    }

    /// `Available`: whether metal-api has what was committed; there only while it has not.
    pub fn available(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: Self::AVAILABLE.to_owned(), status, reason, message: message.into() }
    }

    /// `Rendered`: whether the output is what the definition and the lock say.
    pub fn rendered(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind: "Rendered".to_owned(), status, reason, message: message.into() }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident $kind:ident,)*) => {
        /// Why a cluster is as it is. Each has a page in the runbook when a person must act.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What it means, for people.
            pub fn doc(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }

            /// What happens next.
            pub fn kind(self) -> ReasonKind {
                match self {
                    $(Self::$name => ReasonKind::$kind,)*
                }
            }
        }
    };
}

/// What a reason means for the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonKind {
    /// Nothing is left to do.
    Good,
    /// Time or hardware will tell; the engine looks again by itself.
    Waiting,
    /// A person must act.
    Stalled,
    /// A person wanted it so; `run --once` is not made to fail by it.
    Intended,
}

reasons! {
    /// Network, VIP, egress addresses and firewall are known.
    AllValuesKnown Good,
    /// The output is current.
    UpToDate Good,
    /// `spec.paused`, or the fleet is paused.
    Paused Intended,
    /// The flavor is in the schema and not built yet.
    FlavorNotYet Intended,
    /// A person reverted the engine's commit; held until the inputs change.
    HeldAfterRevert Intended,
    /// The output would change by a new binary alone, and that would replace machines (R1).
    RenderOutdated Intended,
    /// The cluster is being deleted; the message says what is waited for.
    Deleting Intended,
    /// Its deletion is confirmed: removing the definition deletes it.
    DeletionConfirmed Intended,
    /// The definition, the policy or the fleet has findings.
    InvalidDefinition Stalled,
    /// A hit by tag without our mark (R6).
    Claimed Stalled,
    /// Two resources fill one slot, and the engine may not free either.
    Duplicate Waiting,
    /// A committed value is not in metal-api any more (R15).
    Lost Stalled,
    /// Too much is missing at once, or this is a copy of another fleet (R15).
    Suspect Stalled,
    /// The project, or metal-api as a whole, did not answer.
    MetalUnreachable Waiting,
    /// metal-api refuses the credentials (or the clock is skewed).
    Unauthorized Stalled,
    /// No free machine of the firewall's size.
    NoMachineAvailable Waiting,
    /// No prefix or address is left.
    NetworkExhausted Waiting,
    /// metal-api's quota of the project is reached.
    QuotaExceeded Stalled,
    /// metal-api refused the allocation; its words are in the message.
    AllocationRefused Stalled,
    /// It is not known whether the allocation happened; searched for in a later run.
    OutcomeUnknown Waiting,
    /// Somebody else holds the claim.
    ClaimHeld Waiting,
    /// The server refuses claims and nobody said that one engine is alone.
    ClaimRefused Stalled,
    /// The project is not listed for this stage or namespace (R16).
    ProjectNotListed Stalled,
    /// The limits that the fleet sets for the project are reached (R16).
    LimitReached Stalled,
    /// The partition does not announce the pods CIDR (R10).
    PodCIDRNotAnnounceable Stalled,
    /// metal-api does not have the image any more (R24).
    ImageGone Stalled,
    /// The adopted resource does not exist, or is somebody else's.
    AdoptionRefused Stalled,
    /// A value that cannot change was changed in the definition.
    Immutable Stalled,
    /// The change would replace machines or the firewall, and `rollout.allowReplacement` says never.
    ReplacementNotAllowed Stalled,
    /// More would be freed within an hour than the fleet allows (R16).
    BudgetExceeded Stalled,
    /// The branch does not descend from the last engine commit: nothing is deleted until a person acknowledges it.
    HistoryRewritten Stalled,
    /// Fewer machines are free than the cluster still needs; Cluster API waits for them.
    WaitingForCapacity Waiting,
    /// A new firewall is on its way; the old one serves until it has phoned home.
    FirewallReplacing Waiting,
    /// The firewall is dead or gone (R4).
    FirewallUnhealthy Waiting,
    /// The engine only looks (`--observe`).
    Observing Intended,
    /// The definition was removed; nothing is deleted by that (I9).
    DefinitionRemoved Stalled,
    /// The Secret of the cloud controller manager has to be made by a person (R12).
    AddonSecretMissing Intended,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
