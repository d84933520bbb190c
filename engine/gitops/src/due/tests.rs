use super::*;
use model::{ProjectId, Reason};
use plan::Next;

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(n).unwrap()
}

fn deleting(phase: Option<DeletionPhase>, until: Option<i64>) -> Deleting {
    let project = ProjectId::parse(ProjectId::EXAMPLE).unwrap();
    let waits = vec!["something".to_owned()];
    let (next, until) = (Next::Wait, until.map(second));
    Deleting { project, phase, next, waits, until, refused: None, ends: false, gone: vec![] }
}

fn waiting(deleting: &Deleting) -> Waiting<'_> {
    Waiting { deleting, has_cluster: None, freed: false }
}

#[test]
fn each_wait_is_looked_at_when_it_can_be_over() {
    use DeletionPhase::{Confirmed, Freeing};
    let after = |waiting: Waiting<'_>, now| waiting.due(second(now)).unwrap().after.as_secs();
    let confirmed = deleting(Some(Confirmed), Some(1_900));
    let (freeing, held) = (deleting(Some(Freeing), None), deleting(Some(Freeing), Some(4_600)));
    let tombstone = deleting(None, Some(90_000));
    let both = Deleting { waits: vec!["time".to_owned(), "a machine".to_owned()], ..held.clone() };
    for (what, waiting, now, seconds) in [
        ("without access: the delay", waiting(&confirmed), 1_000, 901),
        ("the delay is over", waiting(&confirmed), 3_000, 1),
        ("a firewall is being released", waiting(&freeing), 1_000, 15),
        ("the VIP is held", waiting(&held), 1_100, 3_501),
        ("the VIP is held, and more", waiting(&both), 1_100, 15),
        ("grace", waiting(&tombstone), 0, 90_001),
        ("just freed", Waiting { freed: true, ..waiting(&freeing) }, 1_000, 2),
    ] {
        assert_eq!(after(waiting, now), seconds, "{what}");
    }
}

#[test]
fn what_only_waits_for_time_is_no_work_and_what_a_person_must_do_is_not_due() {
    let freeing = deleting(Some(DeletionPhase::Freeing), None);
    assert!(!waiting(&freeing).due(second(1_000)).unwrap().is_work);
    assert!(Waiting { freed: true, ..waiting(&freeing) }.due(second(1_000)).unwrap().is_work);
    let refused = Deleting { refused: Some((Reason::BudgetExceeded, String::new())), ..freeing };
    assert_eq!(waiting(&refused).due(second(1_000)), None);
}

#[test]
fn i4_metal_api_is_not_read_while_the_management_cluster_shows_the_cluster() {
    let removing = deleting(Some(DeletionPhase::Removing), None);
    let reads = |has_cluster| Waiting { has_cluster, ..waiting(&removing) }.due(second(1_000)).unwrap().reads_metal;
    assert_eq!([Some(true), None, Some(false)].map(reads), [false, true, true]);
}

#[test]
fn the_first_due_wins() {
    let due = |seconds, reads_metal| {
        let after = Duration::from_secs(seconds);
        Due { after, is_work: false, for_claim: false, reads_metal }
    };
    assert_eq!(soonest([]), None);
    assert_eq!(soonest([due(5, false), due(3, false), due(9, true)]), Some(due(3, false)));
    assert_eq!(soonest([due(3, false), due(3, true)]), Some(due(3, true)));
    let open = Open { firewall: true, retry: Some(Duration::from_secs(1)), ..Open::default() };
    let dues = open.dues();
    assert!(soonest(dues.iter().copied()).unwrap().is_work);
    assert_eq!(dues.len(), 2);
}
