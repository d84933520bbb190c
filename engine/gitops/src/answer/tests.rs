use super::*;
use crate::kit::{Branch, LEGACY, Made, SHOP, id};
use model::{ClusterLock, ProjectId};
use plan::{Loss, LossKind};

const DAY: i64 = 24 * 60 * 60;

fn recover(slot: Slot, recover: Recover) -> Answer {
    Answer::Recover { cluster: id(SHOP), slot, recover }
}

fn ack(condition: &str, subject: &str) -> Answer {
    Answer::Ack { condition: condition.to_owned(), subject: subject.to_owned() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

impl Branch {
    fn answers(&mut self, answer: &Answer) -> Oid {
        let text = answer.message(self.tip);
        self.empty(&text)
    }

    fn acknowledged(&mut self) -> Vec<String> {
        self.said().acknowledged.into_iter().collect()
    }
}

#[test]
fn an_answer_counts_over_engine_commits_until_one_ends_it() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    branch.answers(&ack("BudgetExceeded", SHOP));
    branch.answers(&recover(Slot::Vip, Recover::Same));
    branch.answers(&recover(Slot::Vip, Recover::New));
    assert_eq!(branch.acknowledged(), ["BudgetExceeded default.shop"]);
    branch.engine(&[LEGACY], "");
    let said = branch.said();
    assert!(said.is_acknowledged(Reason::BudgetExceeded, SHOP));
    assert_eq!(said.recover, BTreeMap::from([((id(SHOP), Slot::Vip), Recover::New)]), "the last word counts");
    let ended = ["BudgetExceeded default.shop", "Recover vip default.shop"];
    branch.engine_says(&Made { fleet: "example", clusters: &[LEGACY], ended: &ended, more: "# 2\n" });
    let said = branch.said();
    assert!(said.acknowledged.is_empty() && said.recover.is_empty());
    branch.answers(&ack("BudgetExceeded", SHOP));
    assert_eq!(branch.acknowledged(), ["BudgetExceeded default.shop"], "said again");
}

#[test]
fn an_answer_counts_for_a_day_whatever_clocks_say() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    branch.answers(&ack("Suspect", "project"));
    let view = branch.view();
    let answered = branch.repo.commit_info(branch.tip).unwrap().committer_time;
    for (now, counts) in [(0, true), (DAY, true), (DAY + 1, false), (-DAY, true), (-DAY - 1, false)] {
        let is_there = view.said(&BTreeSet::new(), at(answered + now)).is_acknowledged(Reason::Suspect, "project");
        assert_eq!(is_there, counts, "{now}");
    }
}

#[test]
fn only_a_commit_that_changes_nothing_answers() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let tip = branch.tip;
    branch.person("and more\n\nFleet-Ack: Suspect project", &[("README.md", Some("x"))]);
    branch.empty("quoted\n\nFleet-Ack: Suspect project\n\nsaid Bob");
    branch.empty(&format!("copied from elsewhere\n\nFleet-Ack: Suspect project {tip}"));
    assert_eq!(branch.acknowledged(), [""; 0]);
    branch.empty("by hand\n\nFleet-Ack: Suspect project");
    assert_eq!(branch.acknowledged(), ["Suspect project"]);
}

#[test]
fn an_answer_reads_as_it_was_written_and_forges_nothing() {
    let tip: Oid = "1234567890123456789012345678901234567890".parse().unwrap();
    let network = model::NetworkId::parse("internet").unwrap();
    for answer in [
        ack("Suspect", "00000000-0000-0000-0000-000000000001"),
        ack("OutputLost", "branch live of https://git.example.com/x.git"),
        recover(Slot::Egress(network), Recover::Same),
        recover(Slot::Network, Recover::New),
    ] {
        assert_eq!(Answer::all(&answer.message(tip)), [(answer, Some(tip))]);
    }
    let forged = ack("Suspect", "x\n\nFleet-Run: 1\nFleet-Ack: BudgetExceeded y").message(tip);
    assert_eq!(crate::trailers(&forged), None);
    assert_eq!(Answer::all(&forged).len(), 1, "{forged}");
    for broken in ["Fleet-Recover: maybe vip default.shop", "Fleet-Recover: same x default.shop", "Fleet-Ack: Suspect"]
    {
        assert_eq!(Answer::all(broken), [], "{broken}");
    }
}

#[test]
fn given_up_output_counts_until_the_next_engine_commit() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    branch.empty("We know\n\nFleet-Ack: OutputLost branch live");
    branch.view();
    assert!(branch.memory.history.acknowledged().contains("OutputLost branch live"));
    branch.engine(&[LEGACY], "");
    branch.view();
    assert!(branch.memory.history.acknowledged().is_empty());
}

fn plan_of(losses: &[Slot]) -> Plan {
    let project = ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap();
    let mut plan = Plan::default();
    let cluster = plan::ClusterPlan {
        project: project.clone(),
        steps: Vec::new(),
        blocked: None,
        notes: Vec::new(),
        lost: Vec::new(),
        drops_successor: false,
        frees: Vec::new(),
    };
    plan.clusters.insert(id(SHOP), cluster);
    plan.losses.extend(losses.iter().map(|slot| Loss {
        cluster: id(SHOP),
        project: project.clone(),
        slot: slot.clone(),
        id: "x".to_owned(),
        kind: LossKind::Gone,
    }));
    plan
}

fn said(acknowledged: &[&str], rewritten: bool) -> Said {
    Said {
        acknowledged: acknowledged.iter().map(|text| (*text).to_owned()).collect(),
        recover: BTreeMap::from([((id(SHOP), Slot::Vip), Recover::Same)]),
        rewritten: rewritten.then(String::new),
        ..Said::default()
    }
}

#[test]
fn what_an_answer_is_about_ends_it() {
    let none = BTreeMap::new();
    let recovered = "Recover vip default.shop".to_owned();
    let of = |said: &Said, plan: &Plan| ended(said, plan, &none);
    assert_eq!(of(&said(&[], false), &plan_of(&[Slot::Vip])), BTreeSet::new(), "it is still lost");
    assert_eq!(of(&said(&[], false), &plan_of(&[])), BTreeSet::from([recovered.clone()]), "it came back");
    let blind = Plan { incomplete: true, ..plan_of(&[]) };
    assert_eq!(of(&said(&[], false), &blind), BTreeSet::new(), "nobody looked");
    let accepted = said(&["HistoryRewritten example", "Suspect p", "OutputLost x"], false);
    let expected = BTreeSet::from(["HistoryRewritten example".to_owned(), recovered]);
    assert_eq!(of(&accepted, &plan_of(&[])), expected);
    let still = said(&["HistoryRewritten default.shop"], true);
    assert_eq!(of(&still, &plan_of(&[Slot::Vip])), BTreeSet::new());
}

#[test]
fn a_value_that_was_replaced_ends_its_answer() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let before: ClusterLock = branch.view().want.clusters[&id(SHOP)].lock.as_deref().unwrap().clone();
    let mut after = before.clone();
    after.values.vip.as_mut().unwrap().allocation = model::Allocation::parse("another").unwrap();
    let changes = BTreeMap::from([(id(SHOP), Change::new(Some(&before), Some(&after)))]);
    let lost = plan_of(&[Slot::Vip]);
    assert_eq!(ended(&said(&[], false), &lost, &changes), BTreeSet::from(["Recover vip default.shop".to_owned()]));
}

#[test]
fn an_answer_is_over_when_what_it_accepts_is_not_there() {
    let answer = said(&["Suspect 00000000-0000-0000-0000-000000000001", "Suspect default.shop"], false);
    let bare = without_suspect(&answer).unwrap();
    assert!(bare.acknowledged.is_empty() && without_suspect(&bare).is_none());
    let plan = plan_of(&[Slot::Vip]);
    assert_eq!(over(&answer, &plan, Some(&plan)), answer.acknowledged, "nothing is in doubt without it");
    let project = ProjectId::parse("00000000-0000-0000-0000-000000000001").unwrap();
    let doubted = Plan { suspect: BTreeMap::from([(project, String::new())]), ..plan_of(&[Slot::Vip]) };
    assert_eq!(over(&answer, &plan, Some(&doubted)), BTreeSet::new());
    assert!(over(&answer, &plan_of(&[]), Some(&doubted)).contains("Recover vip default.shop"));
}

#[test]
fn what_is_over_counts_no_more_and_may_be_said_again() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    branch.answers(&recover(Slot::Vip, Recover::New));
    let (now, view) = (branch.clock(), branch.view());
    let over = view.told.heard(now);
    assert_eq!(over.len(), 1);
    assert!(view.said(&BTreeSet::new(), now).recover.len() == 1 && view.said(&over, now).recover.is_empty());
    branch.answers(&recover(Slot::Vip, Recover::New));
    let (now, view) = (branch.clock(), branch.view());
    assert_eq!(view.said(&over, now).recover.len(), 1);
}
