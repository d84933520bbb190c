use super::*;

/// Vectors of the real package, metal-api.md section 2: method, key, X-Date, salt, MAC.
#[rustfmt::skip]
const VECTORS: [(&str, &str, &str, &str, &str); 10] = [
    ("GET", "secret", "2024-01-02T03:04:05Z", "abcdefghijklmnopqrstuvwx", "5d0544022ad1afa0eff6311cd5fd540213838932d43c5b9ccdeb00f2ee227365"),
    ("POST", "secret", "2024-01-02T03:04:05Z", "abcdefghijklmnopqrstuvwx", "d35776faa9cc438dd9954eff6634c3ec69b0efa60b9169141e3547dd91af180e"),
    ("POST", "secret", "2024-01-02T03:04:05Z", "ABCDEFGHIJKLMNOPQRSTUVWX", "80d4e0cca8c1f807ed97e50d724123037839c5b974207502e148b1c8910c2aad"),
    ("GET", "metal-view", "2026-12-31T23:59:59Z", "zyxwvutsrqponmlkjihgfedc", "67a99c9ca2bf4a7d7d4254c363d896a9c2116b6d1a1f69a1c6b28ea3554da2e5"),
    ("DELETE", "metal-edit", "2026-02-28T00:00:00Z", "QwErTyUiOpAsDfGhJkLzXcVb", "3fd48a038f12d5a200d87783161cc4271ee78c153f54745edbfc0381317a2cb4"),
    ("PUT", "metal-admin", "2030-06-15T12:30:45Z", "aaaaaaaaaaaaaaaaaaaaaaaa", "c68ad1907b5c2dfe65d5b990e18d737b6e30c54411884a9b6dd1f7a255dfbef6"),
    ("GET", "metal-admin", "2030-06-15T14:30:45+02:00", "aaaaaaaaaaaaaaaaaaaaaaaa", "8246f6fef744b2d5b9918dbbc9bc649358d264e8acda36b5c6bbb1cb992bd5fc"),
    ("GET", "metal-admin", "2026-02-28T00:00:00.987654321Z", "abcdefghijklmnopqrstuvwx", "54ab21c37d62003429d7abfc0c19fc2d3bd7afbeac7536f89ea5eb31e5df0a53"),
    ("GET", "schlüssel-ü", "2024-01-02T03:04:05Z", "abcdefghijklmnopqrstuvwx", "3080fff87f66d28d72dd1179cbc999a7af86a837646e711c00de3da24a7638b4"),
    ("GET", "0123456789012345678901234567890123456789012345678901234567890123456789", "2024-01-02T03:04:05Z", "abcdefghijklmnopqrstuvwx", "b1be9f4dd7f7a13615c125ecfc13cbcee99f5b28d7aaaeb517d9243fbb0ebf10"),
];

#[test]
fn the_vectors_of_the_real_server() {
    for (method, key, clock, salt, mac) in VECTORS {
        let date = render_date(clock.parse().unwrap());
        assert_eq!(signature(key.as_bytes(), &date, method, salt), mac, "{method} {key} {clock}");
    }
}

#[test]
fn an_unknown_type_is_not_repeated() {
    assert_eq!("Metal-Edit".parse(), Ok(AuthType::Edit));
    let error = "canary-key".parse::<AuthType>().unwrap_err();
    assert!(!error.to_string().contains("canary"));
    assert!("metal-edit".parse::<AuthType>().is_err());
}

#[tokio::test]
async fn a_file_is_read_anew_each_time_without_its_line_end() {
    let dir = std::env::temp_dir().join(format!("ferrofleet-secret-{}-{}", std::process::id(), fastrand::u64(..)));
    std::fs::create_dir(&dir).unwrap();
    let path = dir.join("hmac");
    let secret = Secret::file(&path);
    assert!(matches!(secret.read().await, Err(SecretError::Read { .. })));
    for (content, expected) in [("first\n", "first"), ("second\r\n", "second"), (" third ", " third ")] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(secret.read().await.unwrap().expose_secret(), expected);
    }
    std::fs::write(&path, "\n").unwrap();
    assert!(matches!(secret.read().await, Err(SecretError::Empty { path: Some(_) })));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn i7_nothing_prints_the_secret_or_its_proof() {
    let credentials = Credentials::Hmac { auth_type: AuthType::Edit, key: Secret::value("canary-key") };
    let headers = credentials.headers("GET", Timestamp::UNIX_EPOCH).await.unwrap();
    let authorization = headers.authorization.expose_secret().to_owned();
    assert!(authorization.starts_with("Metal-Edit "));
    let (date, salt) = headers.date_and_salt.clone().unwrap();
    assert_eq!(date, "1970-01-01T00:00:00Z");
    assert!(salt.len() == SALT_LEN && salt.bytes().all(|b| b.is_ascii_alphabetic()));
    let echoed = headers.redact(&format!("bad header {authorization} for key canary-key"));
    assert_eq!(echoed, "bad header Metal-Edit [redacted] for key [redacted]");
    assert!(!format!("{credentials:?}").contains("canary"));
    let bearer = Credentials::Bearer { token: Secret::value("canary-token") };
    let headers = bearer.headers("GET", Timestamp::UNIX_EPOCH).await.unwrap();
    assert!(headers.date_and_salt.is_none());
    assert_eq!(headers.redact("Bearer canary-token"), "Bearer [redacted]");
}
