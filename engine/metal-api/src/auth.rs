//! Authentication: the HMAC of metal-api, bearer tokens, and where their secrets come from.
//!
//! Neither path nor body is signed: a captured header is good for any path with the same method for as long as the
//! server's window. These headers are never logged.

mod secret;

pub use secret::{Secret, SecretError};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::{fmt, str::FromStr};

/// The header with the signed time.
pub const DATE_HEADER: &str = "X-Date";
/// The header with the signed salt.
pub const SALT_HEADER: &str = "X-Data-Salt";
/// Letters in a salt, by convention.
const SALT_LEN: usize = 24;

/// The MAC of a request, lower-case hex. `date` is the rendered one, see [`render_date`].
pub fn signature(key: &[u8], date: &str, method: &str, salt: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(date.as_bytes());
    mac.update(method.as_bytes());
    mac.update(salt.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// A time as it is signed: RFC 3339, UTC, whole seconds, `Z`. The server renders what it got the same way.
pub fn render_date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The user name in the Authorization header; compared case-sensitively.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthType {
    View,
    Edit,
    Admin,
}

impl AuthType {
    pub const ALL: [Self; 3] = [Self::View, Self::Edit, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "Metal-View",
            Self::Edit => "Metal-Edit",
            Self::Admin => "Metal-Admin",
        }
    }
}

impl fmt::Display for AuthType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not repeated: who swaps two variables would see the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HMAC type is none of Metal-View, Metal-Edit, Metal-Admin")]
pub struct AuthTypeError;

impl FromStr for AuthType {
    type Err = AuthTypeError;

    fn from_str(s: &str) -> Result<Self, AuthTypeError> {
        Self::ALL.into_iter().find(|known| known.as_str() == s).ok_or(AuthTypeError)
    }
}

/// How requests prove who sends them. The secret is read anew for every try, so that a rotated one is taken up.
#[derive(Clone, Debug)]
pub enum Credentials {
    Hmac { auth_type: AuthType, key: Secret },
    Bearer { token: Secret },
}

/// The headers of one try.
pub(crate) struct AuthHeaders {
    /// The Authorization header's value.
    pub(crate) authorization: SecretString,
    /// `X-Date` and `X-Data-Salt`, with HMAC.
    pub(crate) date_and_salt: Option<(String, String)>,
    secret: SecretString,
}

impl Credentials {
    /// Reads the secret and makes the headers of a request sent `now`.
    pub(crate) async fn headers(&self, method: &str, now: Timestamp) -> Result<AuthHeaders, SecretError> {
        match self {
            Self::Hmac { auth_type, key } => {
                let secret = key.read().await?;
                let (date, salt) = (render_date(now), new_salt());
                let mac = signature(secret.expose_secret().as_bytes(), &date, method, &salt);
                let authorization = format!("{auth_type} {mac}").into();
                Ok(AuthHeaders { authorization, date_and_salt: Some((date, salt)), secret })
            }
            Self::Bearer { token } => {
                let secret = token.read().await?;
                let authorization = format!("Bearer {}", secret.expose_secret()).into();
                Ok(AuthHeaders { authorization, date_and_salt: None, secret })
            }
        }
    }
}

impl AuthHeaders {
    /// Shorter keys are words that a message may hold by chance.
    const REDACTED_FROM: usize = 6;

    /// Takes out of a server's words what must not reach a log (I7): a proxy may echo the headers it refused.
    pub(crate) fn redact(&self, text: &str) -> String {
        let authorization = self.authorization.expose_secret();
        let proof = authorization.split_once(' ').map_or(authorization, |(_, proof)| proof);
        let secrets = [proof, self.secret.expose_secret()].into_iter().filter(|s| s.len() >= Self::REDACTED_FROM);
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
    }
}

fn new_salt() -> String {
    (0..SALT_LEN).map(|_| fastrand::alphabetic()).collect()
}

#[cfg(test)]
mod tests;
