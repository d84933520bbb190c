//! The types and reasons of conditions: what programs compare, and the anchors of the runbook.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$word_doc])* $word),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$word),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => stringify!($word)),* }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a condition is about.
    ConditionType {
        Ready,
        Paused,
        /// Only while the object is deleted.
        Deleting,
        NodeNetworkReady,
        ControlPlaneEndpointReady,
        FirewallReady,
        /// Only where the cloud controller manager's credentials are asked for (R12).
        CloudControllerCredentialsReady,
        MachineAllocated,
        MachineHealthy,
        FirewallAllocated,
        FirewallHealthy,
        FirewallUpToDate,
    }
}

words! {
    /// Why it is so.
    Reason {
        // Good.
        Provisioned,
        Allocated,
        /// Given by a person or by the engine, and found as it should be.
        Verified,
        /// Given, and nothing that metal-api knows.
        Given,
        Healthy,
        UpToDate,
        Written,
        NotPaused,
        // By somebody's will.
        Paused,
        Observing,
        // Waiting for somebody else.
        WaitingForClusterInfrastructure,
        WaitingForBootstrapData,
        WaitingForEngine,
        WaitingForFirewall,
        WaitingForNodeNetwork,
        WaitingForControlPlaneEndpoint,
        WaitingForPhoneHome,
        WaitingForUnknownOutcome,
        WaitingForRelease,
        WaitingForMachines,
        WaitingForFirewallDeployment,
        WaitingForRouteConvergence,
        WaitingForNextReplacement,
        // Something a person can change.
        InvalidSpec,
        InvalidBootstrapData,
        FirewallDeploymentMissing,
        FirewallDeploymentTaken,
        FirewallTemplateMissing,
        FirewallOutdated,
        /// The template has fields that have no effect.
        FieldsWithoutEffect,
        CredentialsMissing,
        ProjectNotAllowed,
        NoDefaultNetwork,
        AmbiguousDefaultNetwork,
        FailureDomainUnknown,
        ControlPlaneExists,
        Claimed,
        Ambiguous,
        ProjectUnknown,
        Suspect,
        MachineLocked,
        // metal-api's answers.
        NoMachineAvailable,
        AddressesExhausted,
        QuotaExceeded,
        Unauthorized,
        MetalApiUnreachable,
        MetalApiBusy,
        Refused,
        // What became of it.
        /// Looked for and not found: allocated next.
        NotAllocated,
        DeletedExternally,
        BelongsToOther,
        NotAlive,
        CrashLoop,
        ReclaimFailed,
        FirewallNotReady,
        Replacing,
        Deleting,
        /// The object goes and something stays, since nothing says that it was allocated for it.
        LeftBehind,
        Freed,
    }
}

mod runbook;

pub use runbook::Entry;

impl ConditionType {
    /// Whether the provider, or CAPMS before it, wrote conditions of this type.
    pub fn is_ours_or_capms(type_: &str) -> bool {
        const CAPMS: [&str; 7] = [
            "ClusterNodeNetworkEnsured",
            "ClusterFirewallDeploymentEnsured",
            "ClusterControlPlaneIPEnsured",
            "ClusterProvisioned",
            "MachineCreated",
            "MachineReady",
            "FirewallDeploymentReady",
        ];
        Self::parse(type_).is_some() || CAPMS.contains(&type_)
    }
}

impl Reason {
    /// Whether somebody should look: Events of such a reason are warnings.
    pub fn is_warning(self) -> bool {
        matches!(
            self,
            Self::InvalidSpec
                | Self::InvalidBootstrapData
                | Self::FirewallDeploymentMissing
                | Self::FirewallDeploymentTaken
                | Self::FirewallTemplateMissing
                | Self::FirewallOutdated
                | Self::FieldsWithoutEffect
                | Self::CredentialsMissing
                | Self::ProjectNotAllowed
                | Self::NoDefaultNetwork
                | Self::AmbiguousDefaultNetwork
                | Self::FailureDomainUnknown
                | Self::ControlPlaneExists
                | Self::Claimed
                | Self::Ambiguous
                | Self::ProjectUnknown
                | Self::Suspect
                | Self::MachineLocked
                | Self::NoMachineAvailable
                | Self::AddressesExhausted
                | Self::QuotaExceeded
                | Self::Unauthorized
                | Self::MetalApiUnreachable
                | Self::MetalApiBusy
                | Self::Refused
                | Self::DeletedExternally
                | Self::BelongsToOther
                | Self::NotAlive
                | Self::CrashLoop
                | Self::ReclaimFailed
                | Self::LeftBehind
        )
    }
}
