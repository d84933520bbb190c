use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ready(reason: Reason) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.is(ConditionType::Ready, reason, "all is well");
    conditions
}

#[test]
fn a_status_that_stays_keeps_its_time_and_one_that_changes_does_not() {
    let first = ready(Reason::Provisioned).over(&[], Some(1), at(100));
    let again = ready(Reason::Provisioned).over(&first, Some(1), at(200));
    assert_eq!(first, again, "nothing to write");

    let mut lost = Conditions::default();
    lost.is_not(ConditionType::Ready, Reason::DeletedExternally, "it is gone");
    let lost = lost.over(&again, Some(1), at(300));
    assert_eq!(lost[0].last_transition_time.0, at(300));
    assert_eq!(since(&lost, ConditionType::Ready, ConditionStatus::False), Some(at(300)));
    assert_eq!(since(&lost, ConditionType::Ready, ConditionStatus::True), None);
}

#[test]
fn fractions_of_seconds_are_not_written_because_the_api_server_drops_them() {
    let now = Timestamp::new(100, 999_999_999).unwrap();
    let written = ready(Reason::Provisioned).over(&[], None, now);
    assert_eq!(written[0].last_transition_time.0, at(100));
}

#[test]
fn conditions_of_others_stay_and_those_of_capms_go() {
    let condition = |type_: &str| Condition {
        type_: type_.to_owned(),
        status: ConditionStatus::True,
        observed_generation: None,
        last_transition_time: Time(at(1)),
        reason: "Because".to_owned(),
        message: String::new(),
    };
    let existing =
        [condition("ClusterNodeNetworkEnsured"), condition("example.com/Backup"), condition("MachineCreated")];
    let written = ready(Reason::Provisioned).over(&existing, None, at(2));
    let types: Vec<&str> = written.iter().map(|c| c.type_.as_str()).collect();
    assert_eq!(types, ["Ready", "example.com/Backup"]);
}

#[test]
fn what_could_not_be_looked_at_stays_as_it_was() {
    let existing = ready(Reason::Provisioned).over(&[], None, at(1));
    let mut conditions = Conditions::default();
    assert!(conditions.keep(ConditionType::Ready, &existing));
    assert!(!conditions.keep(ConditionType::Paused, &existing));
    assert_eq!(conditions.over(&existing, None, at(9)), existing);
}

#[test]
fn ready_is_the_first_thing_that_is_wrong() {
    let mut conditions = Conditions::default();
    conditions.is(ConditionType::NodeNetworkReady, Reason::Allocated, "");
    conditions.is_not(ConditionType::FirewallReady, Reason::FirewallNotReady, "no phone-home yet");
    let parts = [ConditionType::NodeNetworkReady, ConditionType::FirewallReady];
    conditions.sum_up(&parts, Reason::Provisioned, "");
    let ready = conditions.get(ConditionType::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (ConditionStatus::False, Reason::FirewallNotReady));
    assert_eq!(ready.message, "no phone-home yet");
}

#[test]
fn only_transitions_are_worth_an_event() {
    let before = ready(Reason::Provisioned).over(&[], None, at(1));
    let mut reworded = Conditions::default();
    reworded.is(ConditionType::Ready, Reason::Provisioned, "in other words");
    assert_eq!(transitions(&before, &reworded.over(&before, None, at(2))).count(), 0);
    assert_eq!(transitions(&[], &before).count(), 1);
}
