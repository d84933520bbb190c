use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn check(auth: &Auth, method: &str, authorization: &str, date: &str, salt: &str, now: &str) -> Result<User, String> {
    let proof = Proof { authorization: Some(authorization), date: Some(date), salt: Some(salt) };
    authenticate(auth, method, proof, [at(now); 2]).map_err(|refusal| {
        assert_eq!(refusal.status, 403);
        refusal.message
    })
}

const SALT: &str = "abcdefghijklmnopqrstuvwx";
const ADMIN: &str = "Metal-Admin 5d0544022ad1afa0eff6311cd5fd540213838932d43c5b9ccdeb00f2ee227365";

fn secret() -> Auth {
    Auth { view: "secret".into(), edit: "secret".into(), admin: "secret".into(), ..Auth::default() }
}

/// The vectors of the original implementation.
#[test]
fn macs_are_the_originals() {
    let long = "0123456789".repeat(7);
    let cases = [
        (
            "GET",
            "secret",
            "2024-01-02T03:04:05Z",
            SALT,
            "5d0544022ad1afa0eff6311cd5fd540213838932d43c5b9ccdeb00f2ee227365",
        ),
        (
            "POST",
            "secret",
            "2024-01-02T03:04:05Z",
            SALT,
            "d35776faa9cc438dd9954eff6634c3ec69b0efa60b9169141e3547dd91af180e",
        ),
        (
            "POST",
            "secret",
            "2024-01-02T03:04:05Z",
            "ABCDEFGHIJKLMNOPQRSTUVWX",
            "80d4e0cca8c1f807ed97e50d724123037839c5b974207502e148b1c8910c2aad",
        ),
        (
            "GET",
            "metal-view",
            "2026-12-31T23:59:59Z",
            "zyxwvutsrqponmlkjihgfedc",
            "67a99c9ca2bf4a7d7d4254c363d896a9c2116b6d1a1f69a1c6b28ea3554da2e5",
        ),
        (
            "DELETE",
            "metal-edit",
            "2026-02-28T00:00:00Z",
            "QwErTyUiOpAsDfGhJkLzXcVb",
            "3fd48a038f12d5a200d87783161cc4271ee78c153f54745edbfc0381317a2cb4",
        ),
        (
            "PUT",
            "metal-admin",
            "2030-06-15T12:30:45Z",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "c68ad1907b5c2dfe65d5b990e18d737b6e30c54411884a9b6dd1f7a255dfbef6",
        ),
        (
            "GET",
            "metal-admin",
            "2030-06-15T14:30:45+02:00",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "8246f6fef744b2d5b9918dbbc9bc649358d264e8acda36b5c6bbb1cb992bd5fc",
        ),
        (
            "GET",
            "metal-admin",
            "2026-02-28T00:00:00.987654321Z",
            SALT,
            "54ab21c37d62003429d7abfc0c19fc2d3bd7afbeac7536f89ea5eb31e5df0a53",
        ),
        (
            "GET",
            "schlüssel-ü",
            "2024-01-02T03:04:05Z",
            SALT,
            "3080fff87f66d28d72dd1179cbc999a7af86a837646e711c00de3da24a7638b4",
        ),
        (
            "GET",
            &long,
            "2024-01-02T03:04:05Z",
            SALT,
            "b1be9f4dd7f7a13615c125ecfc13cbcee99f5b28d7aaaeb517d9243fbb0ebf10",
        ),
    ];
    for (method, key, date, salt, mac) in cases {
        assert_eq!(mac_of(key.as_bytes(), &render(at(date)), method, salt), mac, "{method} {key} {date}");
    }
}

#[test]
fn old_dates_are_refused_future_ones_are_not() {
    let check = |now| check(&secret(), "GET", ADMIN, "2024-01-02T03:04:05Z", SALT, now);
    assert_eq!(check("2024-01-02T03:05:35Z"), Ok(User::Known(Role::Admin)));
    assert_eq!(check("2020-01-01T00:00:00Z"), Ok(User::Known(Role::Admin)));
    assert_eq!(
        check("2024-01-02T03:05:36Z").unwrap_err(),
        "the timestamp in your header is too old: \"2024-01-02T03:04:05Z\""
    );
    let unchecked = Auth { admin_lifetime: SignedDuration::ZERO, ..secret() };
    assert!(
        super::tests::check(&unchecked, "GET", ADMIN, "2024-01-02T03:04:05Z", SALT, "2030-01-01T00:00:00Z").is_ok()
    );
}

#[test]
fn wrong_macs_are_refused_unknown_schemes_are_guests() {
    let check = |authorization, date| check(&secret(), "GET", authorization, date, SALT, "2024-01-02T03:04:05Z");
    assert_eq!(check("Metal-Admin 00", "2024-01-02T03:04:05Z").unwrap_err(), "Wrong HMAC found");
    assert!(
        check(ADMIN, "yesterday")
            .unwrap_err()
            .starts_with("unknown timestamp \"yesterday\" in \"X-Date\" header, use RFC3339")
    );
    for guest in ["", "Bearer abc", "metal-admin 00", "Metal-Admin", "Metal-Admin  00"] {
        assert_eq!(check(guest, "2024-01-02T03:04:05Z"), Ok(User::Guest), "{guest}");
    }
}

#[test]
fn roles_contain_each_other() {
    assert!(User::Known(Role::Edit).check(Some(Role::View)).is_ok());
    assert!(User::Known(Role::View).check(None).is_ok());
    let refusal = User::Known(Role::Edit).check(Some(Role::Admin)).unwrap_err();
    assert_eq!((refusal.status, refusal.message.as_str()), (403, "you are not member in one of [admin]"));
}
