//! Logins over HTTP: who gets them, who does not, and where they never show (I7).

use crate::fixture::*;
use ferrofleet_tests::git_http::{Fault, GitHttp};
use git::{Credentials, CredentialsError, Error, Expect, Push, Repo, Source};

const CANARY: &str = "canary-5d0c";
/// `fleet:canary-5d0c`.
const BASIC: &str = "Basic ZmxlZXQ6Y2FuYXJ5LTVkMGM=";

fn login() -> Credentials {
    Credentials {
        username: Some(Source::value("fleet")),
        password: Some(Source::value(CANARY)),
        ..Credentials::default()
    }
}

fn assert_clean(text: impl std::fmt::Debug) {
    let text = format!("{text:?}");
    assert!(!text.contains(CANARY) && !text.contains("ZmxlZXQ6"), "{text}");
}

#[test]
fn basic_and_bearer() {
    let bed = Bed::new();
    bed.server.require(BASIC);
    let mut repo = Repo::open(bed.options(login())).unwrap();
    let tip = repo.tip().unwrap().unwrap();
    repo.fetch(tip).unwrap();
    assert_eq!(repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip)), Push::Landed);
    assert!(bed.server.take_seen().iter().all(|s| s.authorization.as_deref() == Some(BASIC)));
    assert_clean(&repo);
    bed.server.require(&format!("Bearer {CANARY}"));
    let repo = Repo::open(bed.options(Credentials { username: None, ..login() })).unwrap();
    assert_eq!(repo.tip().unwrap(), Some(bed.tip()));
}

#[test]
fn a_wrong_password_is_refused_without_showing_it_and_a_new_file_is_read() {
    let bed = Bed::new();
    bed.server.require(&format!("Bearer {CANARY}"));
    let file = bed.dir.path().join("token");
    std::fs::write(&file, "canary-5d0c-but-old\n").unwrap();
    let credentials = Credentials { password: Some(Source::File(file.clone())), ..Credentials::default() };
    let repo = Repo::open(bed.options(credentials)).unwrap();
    // The server quotes what it was sent.
    let error = repo.tip().unwrap_err();
    assert!(matches!(&error, Error::Auth { words, .. } if words.contains("***")), "{error}");
    assert_clean((&error, error.to_string()));
    let pushed = repo.push_forced(bed.tip(), CLAIM, Expect::Absent);
    assert!(matches!(&pushed, Push::Refused(refusal) if refusal.is_auth()), "{pushed:?}");
    assert_clean(&pushed);
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    assert_eq!(repo.tip().unwrap(), Some(bed.tip()));
    std::fs::remove_file(&file).unwrap();
    let error = repo.tip().unwrap_err();
    assert!(matches!(error, Error::Credentials(CredentialsError::File { .. })), "{error}");
}

#[test]
fn no_login_at_all() {
    let bed = Bed::new();
    bed.server.require(BASIC);
    assert!(matches!(bed.repo().tip(), Err(Error::Auth { .. })));
    let seen = bed.server.take_seen();
    assert_eq!(seen.len(), 1, "a refused login is not tried twice: {seen:?}");
}

#[test]
fn logins_go_to_no_other_host() {
    let bed = Bed::new();
    let other = GitHttp::start(bed.dir.path());
    let to = other.url("fleet.git");
    bed.server.script(move |seen| {
        let location = match seen.query.as_str() {
            "" => to.clone(),
            query => format!("{to}/info/refs?{query}"),
        };
        let headers = vec![("Location".to_owned(), location)];
        Some(Fault::Answer { status: 301, headers, body: vec![] })
    });
    let mut repo = Repo::open(bed.options(login())).unwrap();
    // Reading goes along, without the login.
    let tip = repo.tip().unwrap().unwrap();
    repo.fetch(tip).unwrap();
    assert!(bed.server.take_seen().iter().all(|s| s.authorization.is_some()));
    let seen = other.take_seen();
    assert!(seen.len() >= 2 && seen.iter().all(|s| s.authorization.is_none()), "{seen:?}");
    // The next look goes there at once.
    repo.tip().unwrap();
    assert_eq!((bed.server.take_seen().len(), other.take_seen().len()), (0, 1));
    // Writing does not.
    let pushed = repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip));
    assert!(matches!(&pushed, Push::Refused(refusal) if refusal.words.contains("moved to")), "{pushed:?}");
    assert!(other.take_seen().is_empty());
    assert_clean(&pushed);
    // When the new place fails, the old one is asked again.
    other.script(|_| Some(Fault::Answer { status: 404, headers: vec![], body: vec![] }));
    assert!(repo.tip().is_err());
    let _ = repo.tip();
    assert!(!bed.server.take_seen().is_empty());
}

#[test]
fn a_redirect_on_the_same_host_keeps_the_login() {
    let bed = Bed::new();
    bed.server.require(BASIC);
    let to = bed.server.url("fleet.git");
    bed.server.script(move |seen| {
        let query = &seen.query;
        let headers = vec![("Location".to_owned(), format!("{to}/info/refs?{query}"))];
        seen.path.starts_with("/old").then_some(Fault::Answer { status: 302, headers, body: vec![] })
    });
    let repo = Repo::open(bed.options_at(&bed.server.url("old/fleet.git"), login())).unwrap();
    assert_eq!(repo.tip().unwrap(), Some(bed.tip()));
}

#[test]
fn redirects_that_are_not_followed() {
    for to in
        ["file:///etc/info/refs?service=git-upload-pack", "/login?next=x", "ftp://h/info/refs?service=git-upload-pack"]
    {
        let bed = Bed::new();
        bed.server.script(move |_| {
            let headers = vec![("Location".to_owned(), to.to_owned())];
            Some(Fault::Answer { status: 302, headers, body: vec![] })
        });
        let error = bed.repo().tip().unwrap_err();
        assert!(matches!(error, Error::Moved { .. }), "{to}: {error}");
    }
    let bed = Bed::new();
    let circle = bed.server.url("fleet.git/info/refs?service=git-upload-pack");
    bed.server.script(move |_| {
        let headers = vec![("Location".to_owned(), circle.clone())];
        Some(Fault::Answer { status: 302, headers, body: vec![] })
    });
    let error = bed.repo().tip().unwrap_err().to_string();
    assert!(error.contains("circles"), "{error}");
}

#[test]
fn logins_are_not_sent_in_the_clear() {
    let bed = Bed::new();
    let repo = Repo::open(bed.options_at("http://git.example.invalid/x", login())).unwrap();
    let error = repo.tip().unwrap_err();
    assert!(matches!(error, Error::Credentials(CredentialsError::PlainHttp)), "{error}");
    let ca = bed.dir.path().join("ca.pem");
    std::fs::write(&ca, "no certificate").unwrap();
    let credentials = Credentials { ca_file: Some(ca), ..Credentials::default() };
    let repo = Repo::open(bed.options_at("https://127.0.0.1:1/x", credentials)).unwrap();
    let error = repo.tip().unwrap_err();
    assert!(error.to_string().contains("holds no certificate"), "{error}");
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let bed = Bed::new();
    let (server, pem) = GitHttp::start_tls(bed.dir.path());
    server.require(BASIC);
    let url = server.url("fleet.git");
    let ca = bed.dir.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let mut repo = Repo::open(bed.options_at(&url, Credentials { ca_file: Some(ca.clone()), ..login() })).unwrap();
    let tip = repo.tip().unwrap().unwrap();
    repo.fetch(tip).unwrap();
    assert_eq!(repo.push(change(&repo, tip, "1"), MAIN, Expect::Id(tip)), Push::Landed);
    server.take_seen();
    // The system's roots do not know it, nor does another name suit the certificate: nothing is said to such a server.
    let by_address = url.replace("localhost", "127.0.0.1");
    for (url, ca_file) in [(&url, None), (&by_address, Some(ca))] {
        let error = Repo::open(bed.options_at(url, Credentials { ca_file, ..login() })).unwrap().tip().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert_clean(error.to_string());
    }
    assert!(server.take_seen().is_empty());
}
