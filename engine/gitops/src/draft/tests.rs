use super::*;
use crate::kit::{BEGAN, Branch, SHOP, id};
use crate::trailers;
use model::request::{FreeReason, Target};
use model::{NetworkId, ProjectId, Slot};

fn commit(branch: &mut Branch, why: FreeReason, outcome: FreeOutcome, over: &[&str]) -> Option<crate::Trailers> {
    let free = Free {
        cluster: id(SHOP),
        slot: Slot::Vip,
        project: ProjectId::parse(ProjectId::EXAMPLE).unwrap(),
        target: Target::Network(NetworkId::parse("internet").unwrap()),
        why,
    };
    let done = Done { frees: vec![(free, outcome)], ..Done::default() };
    let view = Arc::new(branch.view());
    let over = over.iter().map(|key| (*key).to_owned()).collect();
    let settling = Settling { over, ..Settling::of(view, Plan::default(), Said::default(), done) };
    let sinks = Sinks::new(branch.repo.draft(branch.tip), None, false);
    let making = Making { run: "run", settling: &settling, now: BEGAN };
    let drafted = making.commits(&branch.repo, Edited::default(), sinks).unwrap();
    let made = drafted.definitions?;
    trailers(&branch.repo.commit_info(made.id).unwrap().message)
}

#[test]
fn r16_what_no_lock_names_is_said_when_it_was_freed() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let said = commit(&mut branch, FreeReason::Deletion, FreeOutcome::Freed, &["Suspect p"]).unwrap();
    assert_eq!((said.freed.len(), said.reason.as_str()), (1, "delete"));
    assert_eq!(said.ended, ["Suspect p"], "an answer that is over is said to be");
    let duplicate = FreeReason::Duplicate { of: "x".to_owned() };
    assert!(commit(&mut branch, duplicate, FreeOutcome::Freed, &[]).is_none(), "it does not count (I4)");
    assert!(commit(&mut branch, FreeReason::Deletion, FreeOutcome::Gone, &[]).is_none(), "nobody freed it now");
}
