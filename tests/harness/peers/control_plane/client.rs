//! The few calls of the Kubernetes API that tests make, over HTTPS with the administrator's certificate.

use super::pki::Pki;
use base64::Engine as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use ureq::http::Method;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// An API server.
#[derive(Debug)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    resources: Mutex<BTreeMap<(String, String), Resource>>,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Takes fields from other managers instead of a conflict.
    pub force: bool,
    pub dry_run: bool,
}

impl<'a> Apply<'a> {
    pub fn by(manager: &'a str) -> Self {
        Self { manager, force: false, dry_run: false }
    }

    pub fn forced(self) -> Self {
        Self { force: true, ..self }
    }

    pub fn dry_run(self) -> Self {
        Self { dry_run: true, ..self }
    }
}

/// Names one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    pub api_version: String,
    pub kind: String,
    /// Without one, `default` for kinds that have namespaces.
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectRef {
    /// The reference of a manifest.
    #[track_caller]
    pub fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let named = |value: &Value| text(value).unwrap_or_else(|| panic!("not a manifest: {object}"));
        Self {
            api_version: named(&object["apiVersion"]),
            kind: named(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: named(&object["metadata"]["name"]),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, .. } = self;
        write!(
            f,
            "{kind} {}{}{name}",
            namespace.as_deref().unwrap_or_default(),
            if namespace.is_some() { "/" } else { "" }
        )
    }
}

/// What the API server refused, in its words.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {reason}: {message}")]
pub struct ApiError {
    pub status: u16,
    pub reason: String,
    pub message: String,
}

#[derive(Clone, Debug)]
pub(super) struct Resource {
    plural: String,
    namespaced: bool,
}

impl Client {
    pub(super) fn new(url: &str, pki: &Pki) -> Self {
        let pem = |text: &str| Certificate::from_pem(text.as_bytes()).expect("a certificate");
        let key = PrivateKey::from_pem(pki.admin_key.as_bytes()).expect("a key");
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[pem(&pki.ca)]))
            .client_cert(Some(ClientCert::new_with_certs(&[pem(&pki.admin_certificate)], key)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { agent, url: url.to_owned(), resources: Mutex::default() }
    }

    /// Server-side apply with strict field validation; what is stored, or with a dry run what would be.
    #[track_caller]
    pub fn apply(&self, object: &Value, how: Apply<'_>) -> Result<Value, ApiError> {
        self.apply_yaml(&ObjectRef::of(object), &object.to_string(), how)
    }

    /// The same with the text as it stands in a file, which the API server reads with its own parser.
    pub fn apply_yaml(&self, object: &ObjectRef, text: &str, how: Apply<'_>) -> Result<Value, ApiError> {
        let Apply { manager, force, dry_run } = how;
        let path = self.path(object)?;
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let query = format!("fieldManager={manager}&fieldValidation=Strict&force={force}{dry_run}");
        self.call(&Method::PATCH, &format!("{path}?{query}"), Some(("application/apply-patch+yaml", text)))
    }

    /// Merges into an object or into a subresource of it: none, or as `/status`.
    pub fn merge_patch(&self, object: &ObjectRef, subresource: &str, patch: &Value) -> Result<Value, ApiError> {
        let path = format!("{}{subresource}", self.path(object)?);
        self.call(&Method::PATCH, &path, Some(("application/merge-patch+json", &patch.to_string())))
    }

    /// The object, or `None` where there is none.
    pub fn get(&self, object: &ObjectRef) -> Result<Option<Value>, ApiError> {
        match self.call(&Method::GET, &self.path(object)?, None) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes it; what it owns goes after it, where a controller manager runs.
    pub fn delete(&self, object: &ObjectRef) -> Result<Value, ApiError> {
        let path = self.path(object)?;
        self.call(&Method::DELETE, &format!("{path}?propagationPolicy=Background"), None)
    }

    /// All objects of a kind, of one namespace or of all.
    pub fn list(&self, api_version: &str, kind: &str, namespace: Option<&str>) -> Result<Vec<Value>, ApiError> {
        let resource = self.resource(api_version, kind)?;
        let path = collection(api_version, &resource, namespace);
        let list = self.call(&Method::GET, &path, None)?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// A call of any path, with a body of the named content type.
    pub fn call(&self, method: &Method, path: &str, body: Option<(&str, &str)>) -> Result<Value, ApiError> {
        let request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let sent = match body {
            Some((kind, body)) => self.agent.run(request.header("Content-Type", kind).body(body).expect("a request")),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let not_reached = |message| ApiError { status: 0, reason: "NotReached".to_owned(), message };
        let mut answer = sent.map_err(|e| not_reached(format!("{method} {path}: {e}")))?;
        let status = answer.status();
        // Five thousand objects are more than a client takes by itself.
        let body = answer.body_mut().with_config().limit(256 << 20);
        let text = body.read_to_string().map_err(|e| not_reached(format!("{method} {path}: {e}")))?;
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            return Ok(value);
        }
        let said = |field: &str| value[field].as_str().map(str::to_owned);
        Err(ApiError {
            status: status.as_u16(),
            reason: said("reason").unwrap_or_default(),
            message: said("message").unwrap_or_else(|| value.to_string()),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_healthy(&format!("{}/readyz", self.url))
    }

    /// Whether an address with a certificate of the same authority, or without TLS, answers well.
    pub(in crate::peers) fn is_healthy(&self, url: &str) -> bool {
        self.agent.get(url).call().is_ok_and(|answer| answer.status().is_success())
    }

    fn path(&self, object: &ObjectRef) -> Result<String, ApiError> {
        let resource = self.resource(&object.api_version, &object.kind)?;
        let namespace = object.namespace.as_deref().unwrap_or("default");
        Ok(format!("{}/{}", collection(&object.api_version, &resource, Some(namespace)), object.name))
    }

    /// How the API server calls a kind; asked once.
    pub(super) fn resource(&self, api_version: &str, kind: &str) -> Result<Resource, ApiError> {
        let key = (api_version.to_owned(), kind.to_owned());
        let known = || self.resources.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(resource) = known() {
            return Ok(resource);
        }
        let list = self.call(&Method::GET, &root(api_version), None)?;
        for entry in list["resources"].as_array().into_iter().flatten() {
            let (Some(name), Some(kind)) = (entry["name"].as_str(), entry["kind"].as_str()) else { continue };
            if !name.contains('/') {
                let resource = Resource { plural: name.to_owned(), namespaced: entry["namespaced"] == true };
                let mut known = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert((api_version.to_owned(), kind.to_owned()), resource);
            }
        }
        known().ok_or_else(|| ApiError {
            status: 404,
            reason: "NoKind".to_owned(),
            message: format!("the API server has no {kind} in {api_version}"),
        })
    }
}

fn root(api_version: &str) -> String {
    if api_version.contains('/') { format!("/apis/{api_version}") } else { format!("/api/{api_version}") }
}

fn collection(api_version: &str, resource: &Resource, namespace: Option<&str>) -> String {
    match namespace.filter(|_| resource.namespaced) {
        Some(namespace) => format!("{}/namespaces/{namespace}/{}", root(api_version), resource.plural),
        None => format!("{}/{}", root(api_version), resource.plural),
    }
}

pub(super) fn base64_of(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}
