//! `ferrofleet recover`: a person's answer to a lost value, in a commit that changes nothing.

use super::answer::{self, AuthorArgs};
use crate::args::{AccessArgs, RepoArgs};
use crate::exit::{Exit, Refused};
use crate::source::Remote;
use ::plan::{Loss, Recover};
use clap::Args;
use gitops::Answer;
use model::lock::Values;
use model::{ClusterId, ClusterLock, Origin, Reason, Slot};

/// Ask for a lost value again: exactly the same, or a new one. An empty commit says so, and the engine does it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet recover shop --slot vip --repo https://git.example.com/fleet.git\n  \
    ferrofleet recover payments.billing --slot egress.internet --reallocate --repo https://git.example.com/fleet.git")]
pub(crate) struct RecoverArgs {
    /// Its name, or <namespace>.<name>
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// Which value: network, vip, or egress.<network>
    #[arg(long, value_name = "SLOT")]
    slot: Slot,
    /// A new one, where exactly the same cannot be had any more
    #[arg(long)]
    reallocate: bool,
    /// Also when the value is not known to be lost
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    author: AuthorArgs,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

pub(crate) async fn recover(args: RecoverArgs) -> anyhow::Result<Exit> {
    let author = args.author.author()?;
    let mut remote = Remote::open("recover", &args.repo, &AccessArgs::default())?;
    let read = remote.engine.read().await?;
    let fleet = crate::source::Fleet { tree: read.tree, want: read.want, findings: read.findings };
    let wanted = fleet.cluster(&args.cluster)?;
    let losses = match remote.has_metal {
        true => remote.engine.plan().await?.plan.losses,
        false => Vec::new(),
    };
    may_be_recovered(&wanted.id, wanted.lock.as_deref(), &args.slot, &losses, args.force)?;
    let recover = if args.reallocate { Recover::New } else { Recover::Same };
    let answer = Answer::Recover { cluster: wanted.id.clone(), slot: args.slot.clone(), recover };
    answer::give(&mut remote, answer, author).await
}

/// Only what was committed, is lost and can be had again.
fn may_be_recovered(
    cluster: &ClusterId,
    lock: Option<&ClusterLock>,
    slot: &Slot,
    losses: &[Loss],
    force: bool,
) -> Result<(), Refused> {
    if let Slot::Firewall(_) = slot {
        let hint = "nothing has to be done: the engine replaces a firewall that is gone or dead by itself";
        return Err(Refused::new("a firewall is not recovered", hint));
    }
    let Some((id, origin)) = lock.and_then(|lock| value(&lock.values, slot)) else {
        let hint =
            "the lock names none, so the engine allocates one by itself; `ferrofleet status CLUSTER` says why not";
        return Err(Refused::new(format!("{cluster} has no {slot} that could be lost"), hint));
    };
    if origin == Origin::Adopted {
        let hint = "write the id of another one in the definition, or put this one back";
        return Err(Refused::new(format!("{slot} `{id}` was adopted, and what was adopted is never allocated"), hint));
    }
    let loss = losses.iter().find(|loss| loss.cluster == *cluster && loss.slot == *slot);
    // The engine concluded it and said so in Git; one look of this command never does (R15).
    let is_said = lock.is_some_and(|lock| {
        lock.conditions.iter().any(|c| c.reason == Reason::Lost && c.message.contains(&format!("{slot} `{id}`")))
    });
    match loss {
        _ if force || is_said => Ok(()),
        Some(loss) if loss.is_concluded() => Ok(()),
        Some(_) => Err(Refused::new(
            format!(
                "{slot} `{id}` of {cluster} is missing in this reading of metal-api, and one reading concludes nothing"
            ),
            "wait until the engine has concluded it and status says Lost, or say --force if you know that it is gone",
        )),
        None => Err(Refused::new(
            format!("{slot} `{id}` of {cluster} is not lost"),
            "there is nothing to recover; `ferrofleet drift` shows what is",
        )),
    }
}

/// Id and origin of what a lock names.
fn value(values: &Values, slot: &Slot) -> Option<(String, Origin)> {
    match slot {
        Slot::Network => values.node_network.as_ref().map(|network| (network.id.to_string(), network.origin)),
        Slot::Vip => values.vip.as_ref().map(|vip| (vip.address.to_string(), vip.origin)),
        Slot::Egress(network) => {
            let found = values.egress_ips.iter().find(|egress| egress.network == *network);
            found.map(|egress| (egress.address.to_string(), egress.origin))
        }
        Slot::Firewall(_) => values.firewall.as_ref().map(|firewall| (firewall.id.to_string(), firewall.origin)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::plan::LossKind;
    use model::Condition;

    const LOCK: &str = include_str!("../../../../fleet-example/stages/development/clusters/shop/cluster.lock.yaml");

    fn shop() -> (ClusterId, ClusterLock) {
        ("default.shop".parse().unwrap(), serde_saphyr::from_str(LOCK).unwrap())
    }

    fn loss(kind: LossKind) -> Loss {
        let (cluster, lock) = shop();
        let id = lock.values.vip.unwrap().address.to_string();
        Loss { cluster, project: lock.identity.project, slot: Slot::Vip, id, kind }
    }

    fn judged(lock: &ClusterLock, slot: &Slot, losses: &[Loss], force: bool) -> Result<(), String> {
        may_be_recovered(&shop().0, Some(lock), slot, losses, force)
            .map_err(|usage| format!("{usage}: {}", usage.hint()))
    }

    #[test]
    fn only_what_is_known_to_be_lost() {
        let lock = shop().1;
        assert!(judged(&lock, &Slot::Vip, &[], false).unwrap_err().contains("is not lost"));
        let missing = [loss(LossKind::Missing)];
        assert!(judged(&lock, &Slot::Vip, &missing, false).unwrap_err().contains("one reading concludes nothing"));
        assert_eq!(judged(&lock, &Slot::Vip, &missing, true), Ok(()));
        assert_eq!(judged(&lock, &Slot::Vip, &[loss(LossKind::Gone)], false), Ok(()));
        // The engine concluded it, in Git: this look need not.
        let mut said = lock;
        let condition = Condition::resolved(model::ConditionStatus::False, Reason::Lost, missing[0].to_string());
        said.conditions.push(condition);
        assert_eq!(judged(&said, &Slot::Vip, &missing, false), Ok(()));
        assert!(judged(&said, &Slot::Network, &missing, false).is_err(), "of another slot");
    }

    #[test]
    fn what_cannot_be_had_again_says_what_to_do_instead() {
        let mut lock = shop().1;
        assert!(judged(&lock, &Slot::Firewall(1), &[], true).unwrap_err().contains("by itself"));
        lock.values.vip.as_mut().unwrap().origin = Origin::Adopted;
        assert!(judged(&lock, &Slot::Vip, &[], true).unwrap_err().contains("another one in the definition"));
        let egress = Slot::Egress("internet".parse().unwrap());
        assert!(judged(&lock, &egress, &[], true).unwrap_err().contains("names none"));
    }
}
