use super::*;

fn canonical(text: &str) -> String {
    RemoteUrl::parse(text).unwrap().canonical()
}

#[test]
fn one_canonical_form_per_repository() {
    let cases = [
        ("https://Git.Example.com:443/a/fleet.git/", "https://git.example.com/a/fleet"),
        ("https://git.example.com/a/fleet", "https://git.example.com/a/fleet"),
        ("http://git.example.com:8080/fleet.git", "http://git.example.com:8080/fleet"),
        ("git@Git.Example.com:a/fleet.git", "ssh://git.example.com/a/fleet"),
        ("git.example.com:/a/fleet.git", "ssh://git.example.com/a/fleet"),
        ("ssh://git@git.example.com:22/a/fleet.git", "ssh://git.example.com/a/fleet"),
        ("ssh://git.example.com:2222/a/fleet", "ssh://git.example.com:2222/a/fleet"),
        ("git@[::1]:a/fleet", "ssh://::1/a/fleet"),
        ("file:///does/not/exist", "file:///does/not/exist"),
        ("/does/not/exist", "file:///does/not/exist"),
        ("/does/not/a:b", "file:///does/not/a:b"),
    ];
    for (text, expected) in cases {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn what_is_refused() {
    let dash = |part| UrlError::LeadingDash { part };
    let cases = [
        ("", UrlError::Empty),
        ("a\nb", UrlError::ControlCharacter),
        ("-oProxyCommand=x", dash("path")),
        ("-oProxyCommand=x:y", dash("host")),
        ("ssh://-oProxyCommand=x/y", dash("host")),
        ("ssh://-oProxyCommand=x@host/y", dash("user")),
        ("-x@host:y", dash("user")),
        ("host:-y", dash("path")),
        ("https://me:canary@host/y", UrlError::Userinfo),
        ("https://canary@host/y", UrlError::Userinfo),
        ("ssh://me:canary@host/y", UrlError::Userinfo),
        ("me:canary@host:y", UrlError::Malformed { why: String::new() }),
        ("git://host/y", UrlError::Scheme { scheme: "git".to_owned() }),
        ("ext::sh -c x", UrlError::Malformed { why: String::new() }),
        ("ext://x", UrlError::Scheme { scheme: "ext".to_owned() }),
        ("https://host/y?token=canary", UrlError::Malformed { why: String::new() }),
        ("ssh://host", UrlError::Malformed { why: String::new() }),
        ("ssh://host/%zz", UrlError::Malformed { why: String::new() }),
        ("ssh://ho%20st/x", UrlError::Malformed { why: String::new() }),
    ];
    for (text, expected) in cases {
        match (RemoteUrl::parse(text), &expected) {
            (Err(UrlError::Malformed { why }), UrlError::Malformed { .. }) => {
                assert!(!why.contains("canary"), "{text}")
            }
            (Err(found), expected) => {
                assert_eq!(&found, expected, "{text}");
                assert!(!found.to_string().contains("canary"), "{text}");
            }
            // `ext::sh -c x` and `me:canary@host:y` are host and path to scp's grammar: harmless, nothing is run.
            (Ok(url), UrlError::Malformed { .. }) => assert!(matches!(url.0, Place::Ssh(_)), "{text}: {url}"),
            (Ok(url), _) => panic!("{text} is taken as {url}"),
        }
    }
}

#[test]
fn users_are_never_shown() {
    for text in ["ssh://secretuser@host/x", "secretuser@host:x"] {
        let url = RemoteUrl::parse(text).unwrap();
        assert_eq!(url.to_string(), "ssh://host/x");
        assert!(!format!("{url:?}").contains("secretuser"));
    }
}

#[test]
fn the_path_that_ssh_gets() {
    let path = |text| match RemoteUrl::parse(text).unwrap().0 {
        Place::Ssh(ssh) => ssh.path,
        Place::Path(_) | Place::Http(_) => panic!("{text}"),
    };
    assert_eq!(path("ssh://host/srv/it%27s.git"), "/srv/it's.git");
    assert_eq!(path("ssh://host/~me/x"), "~me/x");
    assert_eq!(path("host:x/y"), "x/y");
    assert_eq!(path("host:/x"), "/x");
}

proptest::proptest! {
    #[test]
    fn never_panics_and_never_shows_a_password(text in "(ssh|https?|file)?(://)?[a-z:@/\\[\\]%.~-]{0,20}") {
        if let Ok(url) = RemoteUrl::parse(&text) {
            let _ = (url.canonical(), url.to_string());
        }
    }
}
