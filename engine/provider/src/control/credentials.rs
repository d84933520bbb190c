//! metal-api for one object: with the provider's own credentials, or with those of a Secret beside the cluster. A Secret
//! is read when it is first needed and again when its watch says that it changed.

use super::context::Context;
use crate::metal::{CredentialName, CredentialValues, CredentialsError, OpenError, ProjectDoor};
use crate::reason::Reason;
use crate::step::Failure;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use model::ProjectId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// CAPMS's keys.
pub(crate) const URL: &str = "api-url";
pub(crate) const HMAC: &str = "api-hmac";
pub(crate) const AUTH_TYPE: &str = "api-hmac-auth-type";

/// The Secrets that were read and have not changed since.
#[derive(Debug, Default)]
pub(crate) struct Credentials(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    values: HashMap<CredentialName, CredentialValues>,
    /// Counts changes: what was being read when one came is not kept.
    changes: u64,
}

impl Credentials {
    /// The next use reads it again.
    pub fn forget(&self, namespace: &str, name: &str) {
        let mut read = self.read();
        read.changes += 1;
        read.values.remove(&CredentialName { namespace: namespace.to_owned(), name: name.to_owned() });
    }

    /// What this Secret said when it was read; None when it changed since.
    pub fn known(&self, namespace: &str, name: &str) -> Option<CredentialValues> {
        self.read().values.get(&CredentialName { namespace: namespace.to_owned(), name: name.to_owned() }).cloned()
    }

    /// What this Secret says now.
    pub fn note(&self, namespace: &str, name: &str, values: CredentialValues) {
        self.read().values.insert(CredentialName { namespace: namespace.to_owned(), name: name.to_owned() }, values);
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        // Each entry is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// The door to a project for an object of this namespace; `credentials` is the Secret of `credentialsRef`.
    pub async fn door(
        &self,
        namespace: &str,
        credentials: Option<&str>,
        project: &ProjectId,
    ) -> Result<Arc<ProjectDoor>, Failure> {
        let Some(name) = credentials.filter(|name| !name.is_empty()) else {
            return self.metal.open_default(namespace, project).map_err(|error| failure(&error));
        };
        let values = self.credential_values(namespace, name).await?;
        let name = CredentialName { namespace: namespace.to_owned(), name: name.to_owned() };
        self.metal.open(namespace, &name, &values, project).map_err(|error| failure(&error))
    }

    /// What a Secret says, read once until it changes.
    pub async fn credential_values(&self, namespace: &str, name: &str) -> Result<CredentialValues, Failure> {
        let key = CredentialName { namespace: namespace.to_owned(), name: name.to_owned() };
        let before = {
            let read = self.credentials.read();
            if let Some(values) = read.values.get(&key) {
                return Ok(values.clone());
            }
            read.changes
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match api.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => return Err(missing(&key, "it is not there")),
            Err(error) => return Err(missing(&key, &format!("it cannot be read: {error}"))),
        };
        let text = |field: &str| {
            let data = secret.data.as_ref().and_then(|data| data.get(field));
            data.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned())
        };
        let (Some(url), Some(hmac)) = (text(URL), text(HMAC)) else {
            return Err(missing(&key, &format!("it lacks the key {URL} or {HMAC}")));
        };
        let values = CredentialValues::new(&url, &hmac, text(AUTH_TYPE).as_deref())
            .map_err(|error| missing(&key, &error.to_string()))?;
        if !self.config.observe {
            super::secrets::hold(&self.client, &secret).await;
        }
        let mut read = self.credentials.read();
        if read.changes == before {
            read.values.insert(key, values.clone());
        }
        Ok(values)
    }
}

fn missing(name: &CredentialName, why: &str) -> Failure {
    Failure {
        reason: Reason::CredentialsMissing,
        message: format!(
            "the Secret {name} with the credentials for metal-api cannot be used: {why}; give it {URL}, {HMAC} and {AUTH_TYPE}"
        ),
        unknown_outcome: false,
    }
}

fn failure(error: &OpenError) -> Failure {
    let reason = match error {
        OpenError::NotAllowed { .. } => Reason::ProjectNotAllowed,
        OpenError::NoCredentials
        | OpenError::Credentials(
            CredentialsError::NoUrl
            | CredentialsError::NoKey
            | CredentialsError::NoKeyVariable
            | CredentialsError::AuthType(_),
        )
        | OpenError::Options(_) => Reason::CredentialsMissing,
    };
    Failure { reason, message: error.to_string(), unknown_outcome: false }
}
