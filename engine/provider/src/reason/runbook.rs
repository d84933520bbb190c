//! The runbook: what each reason means, and what a person does about it. The reference page is made of it, and its
//! anchors are the reasons.

use super::Reason;

/// What a person needs to know of one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub meaning: &'static str,
    /// Empty where there is nothing to do.
    pub mend: &'static str,
}

impl Reason {
    pub fn entry(self) -> Entry {
        let (meaning, mend) = text(self);
        Entry { meaning, mend }
    }
}

#[rustfmt::skip]
fn text(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Provisioned => ("All of it is there and well.", ""),
        Reason::Allocated => ("The provider allocated it, and frees it when the object is deleted.", ""),
        Reason::Verified => ("The spec names it, and metal-api has it as it should be.", ""),
        Reason::Given => ("The spec names it, and metal-api knows nothing of it: a name, or an address of somebody else's network.", ""),
        Reason::Healthy => ("The server is alive and phoned home.", ""),
        Reason::UpToDate => ("The firewall is what its template says.", ""),
        Reason::Written => ("The Secret is written and current.", ""),
        Reason::NotPaused => ("The object is reconciled.", ""),
        Reason::Paused => ("Nothing is done for this object, not even deletion.", "Set `spec.paused: false` in the Cluster, or remove the annotation `cluster.x-k8s.io/paused`."),
        Reason::Observing => ("The provider runs with `--observe`: it decides and writes nothing.", "Start it without `--observe`."),
        Reason::WaitingForClusterInfrastructure => ("The Cluster's infrastructure is not provisioned yet.", "See the conditions of the MetalStackCluster."),
        Reason::WaitingForBootstrapData => ("The bootstrap provider has not written the server's user data yet.", "See the KubeadmConfig of the Machine; workers wait for the first control plane."),
        Reason::WaitingForEngine => ("The slot is the engine's (`fleet.metal-stack.io/engine-slots`) and is not filled yet.", "See `ferrofleet status`; the value comes by a commit."),
        Reason::WaitingForFirewall => ("The cluster counts as provisioned when its firewall has phoned home.", "See the conditions of the MetalStackFirewallDeployment; `--wait-for-firewall=false` does not wait."),
        Reason::WaitingForNodeNetwork => ("The node network is not known yet.", "See the conditions of the MetalStackCluster."),
        Reason::WaitingForControlPlaneEndpoint => ("The address of the API server is not known yet.", "See the conditions of the MetalStackCluster."),
        Reason::WaitingForPhoneHome => ("The server is being installed.", "Look at `metalctl machine ls` when it takes more than 45 minutes."),
        Reason::WaitingForUnknownOutcome => ("An allocation got no answer. It may still complete, so nothing is allocated again before a search found nothing.", ""),
        Reason::WaitingForRelease => ("metal-api still releases addresses of freed servers, or something else uses the network.", "`metalctl network ip ls --network <id>` shows what is left; free what is not this cluster's."),
        Reason::WaitingForMachines => ("Machines of the cluster are left.", "They go first; see their conditions."),
        Reason::WaitingForFirewallDeployment => ("The firewall is being freed.", "See the conditions of the MetalStackFirewallDeployment."),
        Reason::WaitingForRouteConvergence => ("The control plane's server is freed; its routes are still being withdrawn.", ""),
        Reason::WaitingForNextReplacement => ("The firewall is dead and was replaced less than an hour ago.", "Look at why firewalls die: `metalctl machine describe`, `metalctl machine console`."),
        Reason::InvalidSpec => ("A field of the spec makes no sense; the message names it.", "Correct the field. Templates are replaced by new ones, not changed."),
        Reason::InvalidBootstrapData => ("The bootstrap Secret has no `value`, or another format than Ignition.", "Set `format: ignition` in the KubeadmConfig, and enable the feature gate KubeadmBootstrapFormatIgnition."),
        Reason::FirewallDeploymentMissing => ("`firewallDeploymentRef` names an object that is not there.", "Apply the MetalStackFirewallDeployment, or remove the reference."),
        Reason::FirewallDeploymentTaken => ("The MetalStackFirewallDeployment belongs to another cluster.", "Give each cluster its own."),
        Reason::FirewallTemplateMissing => ("`firewallTemplateRef` names an object that is not there.", "Apply the MetalStackFirewallTemplate."),
        Reason::FirewallOutdated => ("The running firewall differs from its template since before the provider saw it.", "Nothing is replaced for that. Change the template to have the firewall replaced."),
        Reason::FieldsWithoutEffect => ("The template has fields that only a firewall-controller reads.", "Remove them: they have no effect here."),
        Reason::CredentialsMissing => ("The Secret with metal-api's credentials is not there, or lacks a key.", "Create it in the cluster's namespace with `api-url`, `api-hmac` and `api-hmac-auth-type`."),
        Reason::ProjectNotAllowed => ("`--project-map` does not give this namespace the project.", "Add the project to the namespace there, or correct `projectID`."),
        Reason::NoDefaultNetwork => ("No network is labelled `network.metal-stack.io/default`, so no address can be chosen.", "Set `controlPlaneIP`, or label a network."),
        Reason::AmbiguousDefaultNetwork => ("Several networks are labelled `network.metal-stack.io/default`.", "Set `controlPlaneIP`, or leave the label on one network."),
        Reason::FailureDomainUnknown => ("The Machine's failure domain is not the cluster's partition.", "Use the failure domain that the MetalStackCluster lists, or none."),
        Reason::ControlPlaneExists => ("Control planes of this cluster run that no object here knows. A second one on the same address would break the first.", "Restore the management cluster from its backup; never apply rendered output to an empty one. If those machines are rubbish, free them."),
        Reason::Claimed => ("Something carries this object's tags without our mark.", "Name its id in the spec to take it, or free it."),
        Reason::Ambiguous => ("Two resources carry this object's mark.", "Free the one that nothing uses; the message names both."),
        Reason::ProjectUnknown => ("It is not known in which project it was allocated, or metal-api does not know the project.", "Annotate the object with `fleet.metal-stack.io/project: <id>`."),
        Reason::Suspect => ("Too much of the project is missing, or too many firewalls are dead, at once: this may be another metal-api, a restored database, or a partition that metal-stack does not hear. Nothing is concluded, allocated or freed.", "Check METAL_API_URL. If the loss is real, annotate the MetalStackCluster with `fleet.metal-stack.io/ack: suspect-until:<time>`, for example of tomorrow."),
        Reason::MachineLocked => ("The server is locked in metal-api and cannot be freed.", "`metalctl machine lock --remove <id>` when the lock's reason is gone."),
        Reason::NoMachineAvailable => ("No server of this size waits in the partition.", "Free one, add hardware, or choose another size; it is tried again by itself."),
        Reason::AddressesExhausted => ("The network has no address, or the super network no prefix, left.", "Free addresses, or ask the platform for a larger network."),
        Reason::QuotaExceeded => ("The project's quota is reached.", "Ask for a higher quota: `metalctl project describe`."),
        Reason::Unauthorized => ("metal-api refuses the credentials: the key was rotated, the role is too low, or the clocks differ.", "Write the new key into the Secret or the provider's environment; compare clocks."),
        Reason::MetalApiUnreachable => ("metal-api did not answer.", "It is tried again by itself; clusters run on."),
        Reason::MetalApiBusy => ("metal-api asks for patience.", ""),
        Reason::Refused => ("metal-api refused the request; its words are in the message.", "Correct what the message names."),
        Reason::NotAllocated => ("Nothing is allocated yet.", ""),
        Reason::DeletedExternally => ("What the object names is not in metal-api any more. It is not allocated again.", "A MachineHealthCheck replaces a machine; else delete the Machine. A network or an address needs a person: restore it, or make a new cluster."),
        Reason::BelongsToOther => ("What the object names is somebody else's by now: another project, cluster or allocation.", "Correct the id, or delete the object: nothing of others is freed."),
        Reason::NotAlive => ("The server does not report to metal-api.", "`metalctl machine describe <id>`; power it on, or let it be replaced."),
        Reason::CrashLoop => ("The server restarts again and again.", "`metalctl machine console <id>`."),
        Reason::ReclaimFailed => ("The server's former system still runs after it was freed.", "See metal-stack's runbook for failed reclaims; the machine should be replaced."),
        Reason::FirewallNotReady => ("The firewall is not well; the cluster's traffic may stand.", "See the conditions of the MetalStackFirewallDeployment."),
        Reason::Replacing => ("A new firewall is on its way; the old one serves until it has phoned home.", ""),
        Reason::Deleting => ("The object is being deleted.", ""),
        Reason::LeftBehind => ("The object goes, and what the message names stays allocated: nothing says that it was allocated for this object.", "Look whose it is; free it with `metalctl` when nobody uses it."),
        Reason::Freed => ("It was freed.", ""),
    }
}
