//! `ferrofleet ack`: a person accepts what stops the engine, in a commit that changes nothing.

use super::answer::{self, AuthorArgs};
use crate::args::{AccessArgs, RepoArgs};
use crate::exit::{Exit, Refused, Usage};
use crate::output::status::mend;
use crate::source::Remote;
use crate::words;
use clap::Args;
use gitops::{Answer, Planned, RunError};
use model::{ClusterId, Reason};
use std::collections::{BTreeMap, BTreeSet};

/// Accept what stops the engine: an empty commit says so, until the condition is over, at most 24 hours
///
/// Suspect PROJECT: this is the right metal-api, and no copy of another fleet. HistoryRewritten [CLUSTER]: the branch is
/// as it should be, deletions may go on. BudgetExceeded CLUSTER|PROJECT: more may be freed within this hour. OutputLost
/// [PLACE]: the output that was there is rendered anew.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet ack Suspect 00000000-0000-0000-0000-000000000001 --repo https://git.example.com/fleet.git\n  \
    ferrofleet ack HistoryRewritten --repo https://git.example.com/fleet.git\n  \
    ferrofleet ack BudgetExceeded payments.billing --repo https://git.example.com/fleet.git")]
pub(crate) struct AckArgs {
    /// Suspect, HistoryRewritten, BudgetExceeded or OutputLost
    #[arg(value_name = "CONDITION")]
    condition: String,
    /// Of what: a cluster, a project, the fleet or a place [default: the only one that has the condition]
    #[arg(value_name = "SUBJECT")]
    subject: Option<String>,
    /// Also when the condition is not seen from here: this machine's cache may never have seen the missing commit of
    /// HistoryRewritten
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    author: AuthorArgs,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

const OUTPUT_LOST: &str = "OutputLost";

/// What can be accepted, and of what.
const ACCEPTABLE: [&str; 4] = ["Suspect", "HistoryRewritten", "BudgetExceeded", OUTPUT_LOST];

pub(crate) async fn ack(args: AckArgs) -> anyhow::Result<Exit> {
    let condition = acceptable(&args.condition)?;
    let author = args.author.author()?;
    let mut remote = Remote::open("ack", &args.repo, &AccessArgs::default())?;
    let subject = match (&args.subject, args.force) {
        (Some(subject), true) => subject.clone(),
        (None, true) => of_fleet(&mut remote, condition).await?,
        (subject, false) => {
            if !remote.has_metal && condition != OUTPUT_LOST {
                return Err(crate::wiring::none_named().into());
            }
            let seen = seen(&mut remote).await?;
            chosen(condition, subject.as_deref(), &seen)?
        }
    };
    let answer = Answer::Ack { condition: condition.to_owned(), subject };
    answer::give(&mut remote, answer, author).await
}

/// What concerns the whole fleet needs no subject.
async fn of_fleet(remote: &mut Remote, condition: &str) -> anyhow::Result<String> {
    let fleet = remote.engine.read().await?.want.fleet.map(|fleet| fleet.metadata.name.to_string());
    let fleet = fleet.filter(|_| condition == Reason::HistoryRewritten.as_str());
    fleet.ok_or_else(|| Usage::new(format!("{condition} of what?"), "name the subject after the condition").into())
}

/// Other conditions are answered by other means.
fn acceptable(condition: &str) -> Result<&'static str, Usage> {
    if let Some(found) = ACCEPTABLE.into_iter().find(|known| known.eq_ignore_ascii_case(condition)) {
        return Ok(found);
    }
    let known = Reason::ALL.iter().find(|reason| reason.as_str().eq_ignore_ascii_case(condition));
    match known {
        Some(reason) => {
            let mend = Some(mend(*reason)).filter(|mend| !mend.is_empty()).unwrap_or("nothing has to be done about it");
            Err(Usage::new(format!("{reason} is not accepted by a commit"), mend))
        }
        None => {
            let hint = words::hint(condition, ACCEPTABLE, "`ferrofleet status` names conditions");
            Err(Usage::new(format!("there is no condition {condition}"), hint))
        }
    }
}

/// What could be accepted now: subjects by condition. A subject may have others that stand for it: a project for its
/// clusters.
type Seen = BTreeMap<&'static str, Subjects>;

#[derive(Debug, Default)]
struct Subjects {
    /// Offered when none was named.
    main: BTreeSet<String>,
    /// Taken when named.
    others: BTreeSet<String>,
}

async fn seen(remote: &mut Remote) -> anyhow::Result<Seen> {
    // Of a fleet that cannot be planned only this can be accepted.
    let planned =
        if remote.has_metal { remote.engine.plan().await.map(Some) } else { remote.engine.read().await.map(|_| None) };
    match planned {
        Ok(None) => Ok(Seen::new()),
        Ok(Some(planned)) => {
            let read = remote.engine.read().await?;
            let fleet = read.want.fleet.as_deref().map(|fleet| fleet.metadata.name.to_string());
            Ok(seen_in(&planned, fleet))
        }
        Err(RunError::OutputLost { place, .. }) => {
            let subjects = Subjects { main: BTreeSet::from([place]), others: BTreeSet::new() };
            Ok(Seen::from([(OUTPUT_LOST, subjects)]))
        }
        Err(other) => Err(other.into()),
    }
}

fn seen_in(planned: &Planned, fleet: Option<String>) -> Seen {
    let Planned { plan, said, .. } = planned;
    let mut seen = Seen::new();
    if !plan.suspect.is_empty() {
        let subjects = seen.entry("Suspect").or_default();
        subjects.main.extend(plan.suspect.keys().map(ToString::to_string));
        let concerned = plan.clusters.iter().filter(|(_, cluster)| plan.suspect.contains_key(&cluster.project));
        subjects.others.extend(concerned.map(|(id, _)| id.to_string()));
    }
    if said.rewritten.is_some() {
        let subjects = seen.entry("HistoryRewritten").or_default();
        subjects.main.extend(fleet);
        subjects.others.extend(plan.deletions.keys().map(ToString::to_string));
    }
    for (id, deleting) in &plan.deletions {
        let is_over = deleting.refused.as_ref().is_some_and(|(reason, _)| *reason == Reason::BudgetExceeded);
        if is_over {
            let subjects = seen.entry("BudgetExceeded").or_default();
            subjects.main.insert(id.to_string());
            subjects.others.insert(deleting.project.to_string());
        }
    }
    seen
}

/// The subject that is accepted.
fn chosen(condition: &str, named: Option<&str>, seen: &Seen) -> Result<String, Refused> {
    let none = Subjects::default();
    let Subjects { main, others } = seen.get(condition).unwrap_or(&none);
    if main.is_empty() && others.is_empty() {
        let there: Vec<_> = seen.keys().copied().collect();
        let hint = match &there[..] {
            [] if condition == Reason::HistoryRewritten.as_str() => {
                "nothing of it is seen from here; if the engine says so, say --force: its cache may know more"
                    .to_owned()
            }
            [] => "there is nothing to acknowledge; `ferrofleet status` shows where the clusters stand".to_owned(),
            some => format!("to be acknowledged now: {}; --force says it all the same", some.join(", ")),
        };
        return Err(Refused::new(format!("nothing is {condition} now"), hint));
    }
    let offered = || main.iter().cloned().collect::<Vec<_>>().join(", ");
    let Some(named) = named else {
        let mut all = main.iter();
        return match (all.next(), all.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err(Refused::new(format!("several are {condition}"), format!("name one of {}", offered()))),
        };
    };
    let mut known = main.iter().chain(others);
    let is_named = |subject: &&String| {
        let name = subject.parse::<ClusterId>().ok().map(|id| id.name().to_string());
        *subject == named || name.as_deref() == Some(named)
    };
    known.find(is_named).cloned().ok_or_else(|| {
        let what = format!("{named} is not {condition} now");
        Refused::new(what, format!("{condition} now: {}; --force says it all the same", offered()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::plan::{Deleting, Next, Plan};
    use model::lock::DeletionPhase;

    fn seen() -> Seen {
        let project = || "00000000-0000-0000-0000-000000000001".parse().unwrap();
        let mut plan = Plan::default();
        plan.suspect.insert(project(), "a copy".to_owned());
        let refused = Some((Reason::BudgetExceeded, "ten within the hour".to_owned()));
        let deleting = Deleting {
            project: project(),
            phase: Some(DeletionPhase::Freeing),
            next: Next::Wait,
            waits: Vec::new(),
            until: None,
            refused,
            ends: false,
            gone: Vec::new(),
        };
        plan.deletions.insert("default.old".parse().unwrap(), deleting.clone());
        plan.deletions.insert("default.older".parse().unwrap(), deleting);
        let said = ::plan::Said { rewritten: Some("a commit is missing".to_owned()), ..Default::default() };
        let planned = Planned { plan, said, ..planned() };
        seen_in(&planned, Some("example".to_owned()))
    }

    fn planned() -> Planned {
        Planned {
            tip: "1234567890123456789012345678901234567890".parse().unwrap(),
            findings: Vec::new(),
            plan: Plan::default(),
            files: Vec::new(),
            impacts: BTreeMap::new(),
            clusters: BTreeMap::new(),
            said: ::plan::Said::default(),
            put_right: Vec::new(),
        }
    }

    #[test]
    fn only_what_is_so_is_acknowledged() {
        let seen = seen();
        let project = "00000000-0000-0000-0000-000000000001";
        assert_eq!(chosen("Suspect", None, &seen).unwrap(), project);
        assert_eq!(chosen("HistoryRewritten", None, &seen).unwrap(), "example");
        assert_eq!(chosen("HistoryRewritten", Some("old"), &seen).unwrap(), "default.old");
        assert_eq!(chosen("BudgetExceeded", Some(project), &seen).unwrap(), project);
        let several = chosen("BudgetExceeded", None, &seen).unwrap_err();
        assert_eq!(several.hint(), "name one of default.old, default.older");
        let other = chosen("Suspect", Some("default.nobody"), &seen).unwrap_err();
        assert!(other.hint().contains(project), "{}", other.hint());
        let nothing = chosen("Suspect", None, &Seen::new()).unwrap_err();
        assert!(nothing.hint().starts_with("there is nothing to acknowledge"), "{}", nothing.hint());
        let elsewhere = chosen("HistoryRewritten", None, &Seen::new()).unwrap_err();
        assert!(elsewhere.hint().contains("--force"), "{}", elsewhere.hint());
    }

    #[test]
    fn what_is_answered_otherwise_says_how() {
        assert_eq!(acceptable("suspect").unwrap(), "Suspect");
        assert!(acceptable("Lost").unwrap_err().hint().contains("ferrofleet recover"));
        assert!(acceptable("UpToDate").unwrap_err().hint().contains("nothing has to be done"));
        assert_eq!(acceptable("Suspct").unwrap_err().hint(), "did you mean Suspect?");
        // What this command accepts is what conditions are called.
        for name in ACCEPTABLE.into_iter().filter(|name| *name != OUTPUT_LOST) {
            assert!(Reason::ALL.iter().any(|reason| reason.as_str() == name), "{name}");
        }
    }
}
