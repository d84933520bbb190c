//! What people answer in Git: an empty commit whose last paragraph says so. Until what it answers is over, at most a day.

use crate::engine::Engine;
use crate::error::RunError;
use crate::message::{ACK, Change, RECOVER, all};
use crate::outcome::Commit;
use crate::pass::Landed;
use git::{CommitInfo, Expect, Oid};
use metal_api::Metal;
use model::{ClusterId, ProjectId, Reason, Slot, Timestamp};
use plan::{Plan, Recover, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// So long an answer counts: a project that was accepted as it is must not stay so for ever.
const VALID_SECONDS: u64 = 24 * 60 * 60;

/// An answer is put on the new tip this often when the branch moves.
const TRIES: u32 = 8;

/// What a person says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `condition` as the engine names it, `subject` a cluster, a project, the fleet or a place.
    Ack { condition: String, subject: String },
    /// What is wanted instead of a lost value.
    Recover { cluster: ClusterId, slot: Slot, recover: Recover },
}

impl Answer {
    /// The commit's message; `tip` is what the person saw. One line each, whatever the words hold.
    pub(crate) fn message(&self, tip: Oid) -> String {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Self::Ack { condition, subject } => {
                let (condition, subject) = (line(condition), line(subject));
                format!("Acknowledge {condition} of {subject}\n\n{ACK}: {condition} {subject} {tip}\n")
            }
            Self::Recover { cluster, slot, recover } => {
                let what = match recover {
                    Recover::Same => "the same again",
                    Recover::New => "a new one",
                };
                let word = word(*recover);
                format!("Recover the {slot} of {cluster}: {what}\n\n{RECOVER}: {word} {slot} {cluster} {tip}\n")
            }
        }
    }

    /// As `Fleet-Ack-Ended` names it.
    fn key(&self) -> String {
        match self {
            Self::Ack { condition, subject } => format!("{condition} {subject}"),
            Self::Recover { cluster, slot, .. } => recovered(cluster, slot),
        }
    }

    /// The answers of a message, each with the commit that the person saw, where it says so.
    fn all(message: &str) -> Vec<(Self, Option<Oid>)> {
        let acks = all(message, ACK).filter_map(|text| {
            let (text, tip) = without_tip(text);
            let (condition, subject) = text.split_once(' ')?;
            Some((Self::Ack { condition: condition.to_owned(), subject: subject.trim().to_owned() }, tip))
        });
        let recovers = all(message, RECOVER).filter_map(|text| {
            let (text, tip) = without_tip(text);
            let mut words = text.split_whitespace();
            let recover = match words.next()? {
                "same" => Recover::Same,
                "new" => Recover::New,
                _ => return None,
            };
            let (slot, cluster) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((Self::Recover { cluster, slot, recover }, tip))
        });
        acks.chain(recovers).collect()
    }
}

fn word(recover: Recover) -> &'static str {
    match recover {
        Recover::Same => "same",
        Recover::New => "new",
    }
}

fn recovered(cluster: &ClusterId, slot: &Slot) -> String {
    format!("Recover {slot} {cluster}")
}

fn without_tip(text: &str) -> (&str, Option<Oid>) {
    let split = text.rsplit_once(' ').and_then(|(rest, last)| Some((rest.trim_end(), last.parse().ok()?)));
    split.map_or((text, None), |(rest, tip)| (rest, Some(tip)))
}

/// One answer: the commit that says it, and its key.
pub(crate) type Heard = (Oid, String);

/// Answers in the order of history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers(Vec<Answered>);

#[derive(Clone, Debug)]
struct Answered {
    /// Of the commit, in seconds.
    at: i64,
    by: Oid,
    answer: Answer,
}

impl Answers {
    pub(crate) fn are_in(message: &str) -> bool {
        !Answer::all(message).is_empty()
    }

    /// Of a commit by a person that changes nothing. One that was copied to another place answers nothing: it names what
    /// the person saw.
    pub(crate) fn add(&mut self, commit: &CommitInfo) {
        let is_here = |tip: Option<Oid>| tip.is_none() || tip == commit.parents.first().copied();
        let answers = Answer::all(&commit.message).into_iter().filter(|(_, tip)| is_here(*tip));
        self.0.extend(answers.map(|(answer, _)| Answered { at: commit.committer_time, by: commit.id, answer }));
    }

    /// An engine commit came after them and says which are over.
    pub(crate) fn end(&mut self, ended: &[String]) {
        self.0.retain(|Answered { answer, .. }| {
            // Output that was given up is rendered by the next commit.
            let is_output = matches!(answer, Answer::Ack { condition, .. } if condition == OUTPUT_LOST);
            !is_output && !ended.contains(&answer.key())
        });
    }

    /// What is accepted, whenever that was.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        let acks = self.0.iter().filter(|said| matches!(said.answer, Answer::Ack { .. }));
        acks.map(|said| said.answer.key()).collect()
    }

    /// What counts at this time. A clock that is ahead must not make an answer last for ever.
    pub(crate) fn valid(&self, now: Timestamp) -> Self {
        let is_valid = |said: &&Answered| now.as_second().abs_diff(said.at) <= VALID_SECONDS;
        Self(self.0.iter().filter(is_valid).cloned().collect())
    }

    pub(crate) fn heard(&self) -> BTreeSet<Heard> {
        self.0.iter().map(|said| (said.by, said.answer.key())).collect()
    }

    pub(crate) fn without(&self, over: &BTreeSet<Heard>) -> Self {
        let counts = |said: &&Answered| over.is_empty() || !over.contains(&(said.by, said.answer.key()));
        Self(self.0.iter().filter(counts).cloned().collect())
    }

    /// The commits that accept this.
    pub(crate) fn accepting(&self, condition: Reason, subject: &str) -> impl Iterator<Item = Oid> {
        let key = format!("{condition} {subject}");
        self.0.iter().filter(move |said| said.answer.key() == key).map(|said| said.by)
    }

    /// The last word on each value.
    pub(crate) fn recover(&self) -> BTreeMap<(ClusterId, Slot), Recover> {
        let recover = self.0.iter().filter_map(|said| match &said.answer {
            Answer::Recover { cluster, slot, recover } => Some(((cluster.clone(), slot.clone()), *recover)),
            Answer::Ack { .. } => None,
        });
        recover.collect()
    }
}

/// As `RunError::OutputLost` asks for it.
const OUTPUT_LOST: &str = "OutputLost";

/// The answers that an engine commit with these changes ends: what they answer is over. One of a condition that nobody
/// can see any more while it is acknowledged (`Suspect`) ends by its time.
pub(crate) fn ended(said: &Said, plan: &Plan, changes: &BTreeMap<ClusterId, Change<'_>>) -> BTreeSet<String> {
    let mut ended = BTreeSet::new();
    for (cluster, slot) in said.recover.keys() {
        let is_lost = plan.losses.iter().any(|loss| loss.cluster == *cluster && loss.slot.same(slot));
        let is_replaced = changes.get(cluster).is_some_and(|change| change.replaced().contains(slot));
        let is_looked_at = plan.clusters.get(cluster).is_some_and(|c| c.blocked.is_none()) && !plan.incomplete;
        if is_replaced || (!is_lost && is_looked_at) {
            ended.insert(recovered(cluster, slot));
        }
    }
    let is_deleting = |subject: &str| {
        plan.deletions.iter().any(|(id, deleting)| id.to_string() == subject || deleting.project.as_str() == subject)
    };
    for ack in &said.acknowledged {
        let Some((condition, subject)) = ack.split_once(' ') else { continue };
        let is_over = match condition {
            // Accepted once, the tip is what counts from then on.
            c if c == Reason::HistoryRewritten.as_str() => said.rewritten.is_none(),
            c if c == Reason::BudgetExceeded.as_str() => !plan.incomplete && !is_deleting(subject),
            _ => false,
        };
        if is_over {
            ended.insert(ack.clone());
        }
    }
    ended
}

/// The answers whose condition is absent in this plan: they are over also where nothing is committed (I4), and do not
/// count for the next time it is there. `bare` is the same plan without what is accepted as `Suspect`.
pub(crate) fn over(said: &Said, plan: &Plan, bare: Option<&Plan>) -> BTreeSet<String> {
    let mut over = ended(said, plan, &BTreeMap::new());
    if let Some(bare) = bare {
        let is_over = |ack: &&String| suspect_of(ack).is_some_and(|subject| !is_suspect(bare, subject));
        over.extend(said.acknowledged.iter().filter(is_over).cloned());
    }
    over
}

/// What people said without what is accepted as `Suspect`; None where nothing is.
pub(crate) fn without_suspect(said: &Said) -> Option<Said> {
    said.acknowledged.iter().any(|ack| suspect_of(ack).is_some()).then(|| {
        let mut said = said.clone();
        said.acknowledged.retain(|ack| suspect_of(ack).is_none());
        said
    })
}

fn suspect_of(ack: &str) -> Option<&str> {
    ack.split_once(' ').filter(|(condition, _)| *condition == Reason::Suspect.as_str()).map(|(_, subject)| subject)
}

/// Whether anything of a project or a cluster is in doubt. Nobody knows where that cluster is: any project counts.
fn is_suspect(plan: &Plan, subject: &str) -> bool {
    let is_project = |project: &ProjectId| project.as_str() == subject;
    let is_of = |id: &ClusterId, project: &ProjectId| id.to_string() == subject || is_project(project);
    let project = subject.parse().ok().and_then(|id: ClusterId| {
        let live = plan.clusters.get(&id).map(|cluster| &cluster.project);
        live.or_else(|| plan.deletions.get(&id).map(|deleting| &deleting.project))
    });
    let in_project = match (project, ProjectId::parse(subject)) {
        (Some(project), _) => plan.suspect.contains_key(project),
        (None, Ok(project)) => plan.suspect.contains_key(&project),
        (None, Err(_)) => !plan.suspect.is_empty(),
    };
    in_project
        || plan.deletions.iter().any(|(id, deleting)| {
            is_of(id, &deleting.project) && deleting.refused.as_ref().is_some_and(|(why, _)| *why == Reason::Suspect)
        })
        || plan.clusters.iter().any(|(id, cluster)| {
            is_of(id, &cluster.project) && cluster.blocked.as_ref().is_some_and(|b| b.reason == Reason::Suspect)
        })
}

impl<M: Metal + 'static> Engine<M> {
    /// Commits a person's answer on the tip, and nothing else.
    pub async fn answer(&mut self, answer: Answer, author: git::Author) -> Result<Commit, RunError> {
        let remote = self.remote.clone();
        for tries in 1..=TRIES {
            let tip = remote.tip().await?.ok_or_else(|| self.branch_missing())?;
            let (text, author, now) = (answer.message(tip), author.clone(), self.clock.now().as_second());
            let title = text.lines().next().unwrap_or_default().to_owned();
            let made = remote.call(move |repo| {
                repo.fetch(tip)?;
                repo.commit_tree_of(tip, &text, &author, now)
            });
            let id = made.await?;
            if let Landed::Yes = self.push(&remote, id, Expect::Id(tip)).await? {
                let clusters = match &answer {
                    Answer::Recover { cluster, .. } => vec![cluster.clone()],
                    Answer::Ack { subject, .. } => subject.parse().into_iter().collect(),
                };
                return Ok(Commit { id, title, clusters });
            }
            tokio::time::sleep(Duration::from_millis(50).saturating_mul(1 << tries.min(5)).mul_f64(fastrand::f64()))
                .await;
        }
        Err(RunError::Outraced { branch: self.options.branch.clone(), tries: TRIES })
    }
}

#[cfg(test)]
mod tests;
