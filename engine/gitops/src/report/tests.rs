use super::*;
use crate::kit::{Branch, SHOP, SHOP_DEFINITION, SHOP_LOCK, id};
use model::{ProjectId, Slot};

fn state() -> ClusterState {
    let (path, phase) = ("cluster.yaml".to_owned(), Phase::Rendered);
    ClusterState { path, phase, lock: None, problem: None, notes: vec![], firewall_ready: None, commit: None }
}

fn loss(kind: LossKind) -> Loss {
    let (cluster, project) = ("default.shop".parse().unwrap(), ProjectId::parse(ProjectId::EXAMPLE).unwrap());
    Loss { cluster, project, slot: Slot::Vip, id: "198.18.0.7".to_owned(), kind }
}

#[test]
fn r15_what_is_missing_is_a_note_and_what_is_concluded_a_problem() {
    for (kind, is_problem) in [
        (LossKind::Missing, false),
        (LossKind::Gone, true),
        (LossKind::Reallocated, true),
        (LossKind::ClaimedBy("default.billing".to_owned()), true),
    ] {
        let (mut state, loss) = (state(), loss(kind.clone()));
        add_losses(&mut state, &[&loss]);
        let (problems, notes): (Vec<_>, _) = (state.problem.iter().collect(), &state.notes);
        let said = problems.into_iter().chain(notes).next().unwrap();
        assert_eq!((said.0, state.is_settled()), (Reason::Lost, !is_problem), "{kind:?}");
        assert!(said.1.contains("198.18.0.7"), "{}", said.1);
    }
}

#[test]
fn a_problem_that_was_there_before_stays_and_the_loss_is_beside_it() {
    let (mut state, loss) = (state(), loss(LossKind::Gone));
    state.problem = Some((Reason::Suspect, "a copy".to_owned()));
    add_losses(&mut state, &[&loss]);
    assert_eq!(state.problem.unwrap().0, Reason::Suspect);
    assert_eq!(state.notes[0].0, Reason::Lost);
}

#[test]
fn only_what_the_lock_says_too_is_said_to_delete() {
    let mut branch = Branch::new();
    branch.engine(&[SHOP], "");
    let words = |branch: &mut Branch| {
        let wanted = branch.view().want.clusters[&id(SHOP)].clone();
        confirmed(&wanted, wanted.lock.as_deref())
    };
    assert_eq!(words(&mut branch), None);
    let text = branch.read(SHOP_DEFINITION).replace("spec:\n", "spec:\n  deletion: {confirm: shop}\n");
    branch.person("Delete it", &[(SHOP_DEFINITION, Some(&text))]);
    assert!(words(&mut branch).unwrap().ends_with("removing it now deletes nothing"));
    let deletion = "deletion:\n  confirmedIn: 1234567890123456789012345678901234567890\n  phase: confirmed\n";
    let lock = branch.read(SHOP_LOCK) + deletion;
    branch.engine_writes(SHOP, SHOP_LOCK, &lock);
    assert!(words(&mut branch).unwrap().ends_with("deletes the cluster"));
}
