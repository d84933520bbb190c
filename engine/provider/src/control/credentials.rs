//! metal-api for one object: with the provider's own credentials, or with those of a Secret beside the cluster. A Secret
//! is read when it is first needed and again when its watch says that it changed.

use super::context::Context;
use crate::metal::{CredentialName, CredentialValues, CredentialsError, OpenError, ProjectDoor};
use crate::reason::Reason;
use crate::step::Failure;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use model::ProjectId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where the watch is not allowed, a rotated key is taken up after this long.
const AGE_MAX: Duration = Duration::from_mins(10);

/// CAPMS's keys.
pub(crate) const URL: &str = "api-url";
pub(crate) const HMAC: &str = "api-hmac";
pub(crate) const AUTH_TYPE: &str = "api-hmac-auth-type";

/// The Secrets that were read and have not changed since.
#[derive(Debug, Default)]
pub(crate) struct Credentials(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    values: HashMap<CredentialName, (CredentialValues, Instant)>,
    /// To be read again; until it is, what it said last is better than nothing.
    old: BTreeSet<CredentialName>,
    /// Counts changes: what was being read when one came is not kept.
    changes: u64,
}

impl Credentials {
    /// The next use reads it again.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        let mut read = self.read();
        read.changes += 1;
        read.old.insert(CredentialName { namespace: namespace.to_owned(), name: name.to_owned() });
    }

    /// All are read again: nobody told what changed.
    pub(crate) fn forget_all(&self) {
        let mut read = self.read();
        read.changes += 1;
        let all: Vec<CredentialName> = read.values.keys().cloned().collect();
        read.old.extend(all);
    }

    /// What this Secret said when it was read; None when it changed since, or was read too long ago to rely on the watch.
    pub(crate) fn known(&self, namespace: &str, name: &str) -> Option<CredentialValues> {
        self.read().young(&CredentialName { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// What this Secret says now.
    pub(crate) fn note(&self, namespace: &str, name: &str, values: CredentialValues) {
        let name = CredentialName { namespace: namespace.to_owned(), name: name.to_owned() };
        let mut read = self.read();
        read.old.remove(&name);
        read.values.insert(name, (values, Instant::now()));
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        // Each entry is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read {
    fn young(&self, name: &CredentialName) -> Option<CredentialValues> {
        let (values, read_at) = self.values.get(name)?;
        (read_at.elapsed() < AGE_MAX && !self.old.contains(name)).then(|| values.clone())
    }
}

impl Context {
    /// The door to a project for an object of this namespace; `credentials` is the Secret of `credentialsRef`.
    pub(crate) async fn door(
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
    pub(crate) async fn credential_values(&self, namespace: &str, name: &str) -> Result<CredentialValues, Failure> {
        let key = CredentialName { namespace: namespace.to_owned(), name: name.to_owned() };
        let before = {
            let read = self.credentials.read();
            if let Some(values) = read.young(&key) {
                return Ok(values);
            }
            read.changes
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = match api.get_opt(name).await {
            Ok(Some(secret)) => secret,
            Ok(None) => {
                self.credentials.read().values.remove(&key);
                return Err(missing(&key, "it is not there"));
            }
            // An API server that does not answer says nothing about the Secret: Ready must not flap for that.
            Err(error) => {
                let before = self.credentials.read().values.get(&key).map(|(values, _)| values.clone());
                return before.ok_or_else(|| missing(&key, &format!("it cannot be read: {error}")));
            }
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
            read.old.remove(&key);
            read.values.insert(key, (values.clone(), Instant::now()));
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
        after: None,
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
    Failure { reason, message: error.to_string(), unknown_outcome: false, after: None }
}
