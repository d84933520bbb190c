//! Credentials: shared, denied, rotated, never shown.

use super::{Bed, KEY, ONE, TWO, id, name, values};
use crate::metal::{CredentialValues, CredentialsError, FailureClass};
use std::sync::Arc;

#[tokio::test]
async fn a_denied_credential_is_left_alone_longer_and_longer_and_a_rotated_one_works_at_once() {
    let bed = Bed::new().await;
    let (wrong, right) = (values(&bed.sim, "old-key-canary"), values(&bed.sim, KEY));
    let door = bed.doors.open("tenant", &name("login"), &wrong, &id(ONE)).unwrap();
    let other = bed.doors.open("tenant", &name("login"), &wrong, &id(TWO)).unwrap();
    let failure = door.reading().await.unwrap_err();
    assert_eq!(failure.class(), FailureClass::Denied);
    assert!(!format!("{failure:?} {failure} {door:?} {:?}", bed.doors).contains("canary"));
    assert_eq!(failure.error.retry_after().map(|after| after.as_secs()), Some(1));
    bed.calls();
    assert_eq!(other.reading().await.unwrap_err().class(), FailureClass::Denied);
    assert_eq!(other.find_ips(&model::Tags::new()).await.unwrap_err().class(), FailureClass::Denied);
    assert!(bed.calls().is_empty(), "every project of the credential rests");
    bed.pass(1);
    assert!(other.find_ips(&model::Tags::new()).await.is_err());
    let denied = other.find_ips(&model::Tags::new()).await.unwrap_err();
    assert_eq!((denied.retry_after().map(|after| after.as_secs()), bed.calls().len()), (Some(2), 1));
    let new = bed.doors.open("tenant", &name("login"), &right, &id(ONE)).unwrap();
    new.reading().await.unwrap();
    assert!(!Arc::ptr_eq(&new, &door));
    assert!(Arc::ptr_eq(&new, &bed.door()), "equal values share one client, its doors and their lists");
}

#[tokio::test]
async fn values_that_no_secret_has_any_more_are_let_go() {
    let bed = Bed::new().await;
    let old = values(&bed.sim, "old");
    let first = bed.doors.open("tenant", &name("a"), &old, &id(ONE)).unwrap();
    let shared = bed.doors.open("tenant", &name("b"), &old, &id(ONE)).unwrap();
    assert!(Arc::ptr_eq(&first, &shared));
    let weak = Arc::downgrade(&first);
    drop((first, shared));
    let new = values(&bed.sim, KEY);
    bed.doors.open("tenant", &name("a"), &new, &id(ONE)).unwrap();
    assert!(weak.upgrade().is_some(), "b has them yet");
    bed.doors.open("tenant", &name("b"), &new, &id(ONE)).unwrap();
    assert!(weak.upgrade().is_none());
    bed.doors.open("tenant", &name("a"), &old, &id(ONE)).unwrap();
    assert!(bed.door().reading().await.is_ok(), "the provider's own stay");
}

#[tokio::test]
async fn clocks_that_differ_are_said_and_the_words_are_stable() {
    let bed = Bed::new().await;
    let door = bed.door();
    door.reading().await.unwrap();
    *bed.clock.0.lock().unwrap() -= std::time::Duration::from_secs(3600);
    let said = door.find_ips(&model::Tags::new()).await.unwrap_err().to_string();
    assert!(said.contains("the clocks differ") && said.contains("our clock is about"), "{said}");
    assert!(said.contains("behind metal-api's"), "{said}");
    assert_eq!(door.find_ips(&model::Tags::new()).await.unwrap_err().to_string(), said);
}

#[test]
fn values_come_from_secrets_and_variables() {
    let read = |pairs: &'static [(&str, &str)]| {
        CredentialValues::from_environment(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    };
    assert!(matches!(read(&[("METAL_API_HMAC", "k")]), Ok(None)));
    assert_eq!(read(&[("METAL_API_URL", "http://x")]).unwrap_err(), CredentialsError::NoKeyVariable);
    let values = read(&[("METAL_API_URL", " http://x/metal\n"), ("METAL_API_HMAC", "canary")]).unwrap().unwrap();
    assert_eq!(values.url(), "http://x/metal");
    let shown = format!("{values:?}");
    assert!(shown.contains("Admin") && !shown.contains("canary"), "{shown}");
    let same = CredentialValues::new("http://x/metal", "canary\n", Some("Metal-Admin\n")).unwrap();
    assert!(same.fingerprint() == values.fingerprint());
    let other = CredentialValues::new("http://x/metal", "canary", Some("Metal-Edit")).unwrap();
    assert!(other.fingerprint() != values.fingerprint());
    let new = |url, hmac, auth_type| CredentialValues::new(url, hmac, Some(auth_type)).unwrap_err();
    assert_eq!(new("", "k", ""), CredentialsError::NoUrl);
    assert_eq!(new("http://x", "\n", ""), CredentialsError::NoKey);
    assert!(!new("http://x", "k", "canary").to_string().contains("canary"));
}
