//! Who calls: the HMAC of metal-api, its windows, and the roles.

use crate::{landscape::Auth, refusal::Refusal};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Each may what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    View,
    Edit,
    Admin,
}

/// The caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// No credentials, or none that are understood.
    Guest,
    Known(Role),
}

/// The headers that say who calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Proof<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) date: Option<&'a str>,
    pub(crate) salt: Option<&'a str>,
}

impl Role {
    const ALL: [Self; 3] = [Self::View, Self::Edit, Self::Admin];

    fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Edit => "edit",
            Self::Admin => "admin",
        }
    }

    /// The user name, as it stands in the Authorization header.
    fn user_name(self) -> &'static str {
        match self {
            Self::View => "Metal-View",
            Self::Edit => "Metal-Edit",
            Self::Admin => "Metal-Admin",
        }
    }
}

impl User {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Guest => "anonymous",
            Self::Known(role) => role.user_name(),
        }
    }

    pub(crate) fn email(self) -> String {
        match self {
            Self::Guest => "anonymous@metal-stack.io".to_owned(),
            Self::Known(role) => format!("metal-{}@metal-stack.io", role.as_str()),
        }
    }

    pub(crate) fn groups(self) -> Vec<String> {
        match self {
            Self::Guest => Vec::new(),
            Self::Known(role) => vec![format!("maas-all-all-{}", role.as_str())],
        }
    }

    pub(crate) fn check(self, needed: Option<Role>) -> Result<(), Refusal> {
        let (Some(needed), Self::Known(role)) = (needed, self) else { return Ok(()) };
        if role >= needed {
            return Ok(());
        }
        let groups: Vec<_> = Role::ALL.into_iter().filter(|role| *role >= needed).map(Role::as_str).collect();
        Err(Refusal::new(403, format!("you are not member in one of [{}]", groups.join(" "))))
    }
}

/// The caller of a request. A date must be fresh by one of `clocks`: the simulated time may be far from the one the
/// client signs with.
pub(crate) fn authenticate(
    auth: &Auth,
    method: &str,
    proof: Proof<'_>,
    clocks: [Timestamp; 2],
) -> Result<User, Refusal> {
    let header = proof.authorization.unwrap_or_default();
    let mut parts = header.split(' ');
    let (Some(name), Some(mac), None) = (parts.next(), parts.next(), parts.next()) else { return Ok(User::Guest) };
    let Some(role) = Role::ALL.into_iter().find(|role| role.user_name() == name) else { return Ok(User::Guest) };
    let (key, lifetime) = match role {
        Role::View => (&auth.view, auth.view_lifetime),
        Role::Edit => (&auth.edit, auth.edit_lifetime),
        Role::Admin => (&auth.admin, auth.admin_lifetime),
    };
    let text = proof.date.unwrap_or_default();
    let date: Timestamp = text
        .parse()
        .map_err(|_| Refusal::new(403, format!("unknown timestamp {text:?} in \"X-Date\" header, use RFC3339")))?;
    let is_old = |now: &Timestamp| now.duration_since(date) > lifetime;
    if lifetime > SignedDuration::ZERO && clocks.iter().all(is_old) {
        return Err(Refusal::new(403, format!("the timestamp in your header is too old: {text:?}")));
    }
    let expected = mac_of(key.as_bytes(), &render(date), method, proof.salt.unwrap_or_default());
    match bool::from(expected.as_bytes().ct_eq(mac.as_bytes())) {
        true => Ok(User::Known(role)),
        false => Err(Refusal::new(403, "Wrong HMAC found")),
    }
}

/// A date is signed in UTC with whole seconds, however it was sent.
fn render(date: Timestamp) -> String {
    date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn mac_of(key: &[u8], date: &str, method: &str, salt: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    [date, method, salt].into_iter().for_each(|part| mac.update(part.as_bytes()));
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
