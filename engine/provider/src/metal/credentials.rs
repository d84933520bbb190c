//! Which metal-api, and how to prove who asks.

use metal_api::auth::{AuthTypeError, SecretError};
use metal_api::{AuthType, Credentials, Secret};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// A Secret that holds credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CredentialName {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One credential. `Debug` shows the URL and the type, never the key.
#[derive(Clone, Debug)]
pub struct CredentialValues {
    url: String,
    auth_type: AuthType,
    key: Secret,
}

/// One credential with its key in clear. `Debug` does not show it.
#[derive(Clone, Debug)]
pub(crate) struct Revealed {
    pub url: String,
    pub auth_type: &'static str,
    pub key: SecretString,
}

/// What is wrong with values; the key is not in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    #[error("the URL of metal-api is empty; it looks like https://metal.example.com/metal")]
    NoUrl,
    #[error("the HMAC of metal-api is empty")]
    NoKey,
    #[error("METAL_API_URL is set and METAL_API_HMAC is not; set METAL_API_HMAC to the key")]
    NoKeyVariable,
    #[error(transparent)]
    AuthType(#[from] AuthTypeError),
}

impl CredentialValues {
    /// As a Secret has them: a line end that an editor added is no part of them. No type: Metal-Admin, as in CAPMS.
    pub fn new(url: &str, hmac: &str, auth_type: Option<&str>) -> Result<Self, CredentialsError> {
        let hmac = hmac.trim_end_matches(['\r', '\n']);
        if hmac.is_empty() {
            return Err(CredentialsError::NoKey);
        }
        Self::with_key(url, Secret::value(hmac), auth_type)
    }

    /// With a key from a file, which is read anew for each call.
    pub fn with_key(url: &str, key: Secret, auth_type: Option<&str>) -> Result<Self, CredentialsError> {
        let url = url.trim();
        if url.is_empty() {
            return Err(CredentialsError::NoUrl);
        }
        let auth_type = match auth_type.map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) => text.parse()?,
            None => AuthType::Admin,
        };
        Ok(Self { url: url.to_owned(), auth_type, key })
    }

    /// From CAPMS's variables `METAL_API_URL`, `METAL_API_HMAC`, `METAL_API_HMAC_AUTH_TYPE`, as `read` gives them. None
    /// without a URL.
    pub fn from_environment(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, CredentialsError> {
        let read = |name| read(name).filter(|value| !value.trim().is_empty());
        let Some(url) = read("METAL_API_URL") else { return Ok(None) };
        let key = read("METAL_API_HMAC").ok_or(CredentialsError::NoKeyVariable)?;
        Self::new(&url, &key, read("METAL_API_HMAC_AUTH_TYPE").as_deref()).map(Some)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What a Secret for somebody else is made of, the key as it is now (R12).
    pub(crate) async fn reveal(&self) -> Result<Revealed, SecretError> {
        let Self { url, auth_type, key } = self;
        Ok(Revealed { url: url.clone(), auth_type: auth_type.as_str(), key: key.read().await? })
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::Hmac { auth_type: self.auth_type, key: self.key.clone() }
    }

    /// Equal values share one client.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let key = match &self.key {
            Secret::Value(value) => ("value", value.expose_secret().as_bytes().to_vec()),
            Secret::File(path) => ("file", path.as_os_str().as_encoded_bytes().to_vec()),
        };
        let mut hash = Sha256::new();
        for part in [self.url.as_bytes(), self.auth_type.as_str().as_bytes(), key.0.as_bytes(), &key.1] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Fingerprint(hash.finalize().into())
    }
}

/// Tells credentials apart. Without `Debug`: a weak key could be guessed from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fingerprint([u8; 32]);
