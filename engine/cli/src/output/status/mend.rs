//! What a person does about a reason; nothing where nobody has to do anything.

use model::Reason;

/// In words that begin a sentence; empty where nothing is to be done.
pub(crate) fn mend(reason: Reason) -> &'static str {
    match reason {
        Reason::AllValuesKnown | Reason::UpToDate | Reason::Paused | Reason::Observing => "",
        Reason::FlavorNotYet => "Choose another flavor in the definition.",
        Reason::HeldAfterRevert => {
            "Change the definition (or what it takes from stage, policy and fleet), or revert the revert; until then \
             the engine leaves the cluster as it is."
        }
        Reason::RenderOutdated => {
            "Nothing, if machines are to stay as they are. `ferrofleet plan --diff` shows what would change; it comes with \
             the next change of these fields by a person."
        }
        Reason::Deleting => "Wait; `ferrofleet status CLUSTER` says for what. A definition that comes back ends it.",
        Reason::DeletionConfirmed => {
            "Remove the definition in a commit of its own to delete the cluster, or take `deletion.confirm` back."
        }
        Reason::InvalidDefinition => "Run `ferrofleet validate`: it names file, line and mend of each finding.",
        Reason::Claimed => {
            "Say `mode: adopt` with the id in the definition if the resource is meant for this cluster; else free it, or \
             give the cluster another name."
        }
        Reason::Duplicate => {
            "Look at both with metalctl. The one that the lock does not name may go when nothing uses it; the engine frees \
             it by itself while it is younger than an hour and empty."
        }
        Reason::Lost => {
            "Decide: `ferrofleet recover CLUSTER --slot SLOT` asks for exactly the same again, with `--reallocate` for a \
             new one. An adopted value needs a new id in the definition."
        }
        Reason::Suspect => {
            "Check that the metal-api behind the URL is the right one and that this is no copy of another fleet's \
             repository. If all is as it should be: `ferrofleet ack Suspect PROJECT`."
        }
        Reason::MetalUnreachable => "Nothing while metal-api is down; the engine tries again by itself.",
        Reason::Unauthorized => "Check the engine's key for metal-api (METAL_API_HMAC) and the clock of its machine.",
        Reason::NoMachineAvailable => "Add machines of this size, free some, or choose another size in the definition.",
        Reason::NetworkExhausted => "Ask for more prefixes or addresses in this network, or free what nobody uses.",
        Reason::QuotaExceeded => "Have the project's quota raised in metal-api, or free something in it.",
        Reason::AllocationRefused => {
            "Read metal-api's words; what it refuses is changed in the definition or in metal-api."
        }
        Reason::OutcomeUnknown => "Nothing; the engine looks for what may have been allocated.",
        Reason::ClaimHeld => "Nothing; another engine is at work. A claim that nobody renews runs out by itself.",
        Reason::ClaimRefused => {
            "Allow pushes to refs/ferrofleet/claim/* for the engine, or say `--single-writer` if it is the only one."
        }
        Reason::ProjectNotListed => {
            "List the project in `fleet.yaml` for this stage and namespace, or choose another one."
        }
        Reason::LimitReached => "Raise the project's `limits` in `fleet.yaml`, or make room.",
        Reason::PodCIDRNotAnnounceable => "Choose a pods CIDR within the ranges that the message names.",
        Reason::ImageGone => "Offer an image in the policy that metal-api has; `ferrofleet images` lists what is used.",
        Reason::AdoptionRefused => "Correct the id in the definition, or let the engine allocate.",
        Reason::Immutable => "Put the field back; for another value make a new cluster.",
        Reason::ReplacementNotAllowed => {
            "Say `rollout.allowReplacement: always` in a commit of its own, or take the change back."
        }
        Reason::BudgetExceeded => {
            "Wait for the hour to pass, raise `limits.freesPerHour`, or `ferrofleet ack BudgetExceeded CLUSTER`."
        }
        Reason::HistoryRewritten => {
            "Push the missing commit back, or `ferrofleet ack HistoryRewritten` when the branch is as it should be."
        }
        Reason::WaitingForCapacity => "Add or free machines of this size; Cluster API goes on by itself.",
        Reason::FirewallReplacing => "",
        Reason::FirewallUnhealthy => {
            "Nothing; the engine replaces it, at most once an hour. If that goes on, look at its console with metalctl."
        }
        Reason::DefinitionRemoved => {
            "Put the definition back. To delete the cluster, let it say `deletion.confirm: <name>` in one commit and \
             remove it in a later one."
        }
        Reason::AddonSecretMissing => "Make the Secret that the message names in the management cluster.",
    }
}
