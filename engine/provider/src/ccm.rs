//! The Secret with which the cloud controller manager reaches metal-api (R12).
//!
//! A ClusterResourceSet of the engine brings it into the workload cluster: `<cluster>-metal-ccm` holds one manifest, the
//! Secret `cloud-controller-manager` in kube-system. Of that name and not owned by the Cluster, it is somebody else's and
//! stays as it is.

use crate::api::MetalStackCluster;
use crate::capi::Cluster;
use crate::cluster::{Credentials, Observed};
use crate::control::{Context, Error, merge, owned_by};
use crate::metal::{CredentialValues, Revealed};
use crate::names;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use secrecy::ExposeSecret as _;
use serde_json::json;

/// Secrets of no other type are applied by ClusterResourceSets.
const TYPE: &str = "addons.cluster.x-k8s.io/resource-set";
const KEY: &str = "cloud-controller-manager.yaml";

/// What a Secret of the name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Foreign,
    Outdated,
    Current,
}

/// Whether the Secret is asked for, and is as it should be. It is read only after it changed.
pub(crate) async fn look(
    context: &Context,
    object: &MetalStackCluster,
    cluster: &Cluster,
) -> Result<Credentials, Error> {
    let (values, inherited) = match source(context, object).await {
        None => return Ok(Credentials::Unasked),
        Some(Err(message)) => return Ok(Credentials::Missing(message)),
        Some(Ok(source)) => source,
    };
    let (namespace, secret) = (object.namespace().unwrap_or_default(), name(cluster));
    if object.annotations().get(names::CCM_CREDENTIALS) == Some(&secret) {
        let message = format!("Secret {secret} is what is written: name another one in {}.", names::CCM_CREDENTIALS);
        return Ok(Credentials::Missing(message));
    }
    if let Some(known) = context.credentials.known(&namespace, &secret)
        && known.reveal().await.is_ok_and(|known| manifest(&known) == manifest(&values))
    {
        return Ok(Credentials::Written { secret, inherited });
    }
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let target = match api.get_opt(&secret).await {
        Ok(target) => target,
        Err(error) => return refused("read", &secret, error.into()),
    };
    Ok(match judge(target.as_ref(), cluster, &manifest(&values)) {
        Found::Foreign => Credentials::Foreign(secret),
        Found::Nothing | Found::Outdated => Credentials::Due { secret, inherited },
        Found::Current => {
            note(context, &namespace, &secret, &values);
            Credentials::Written { secret, inherited }
        }
    })
}

/// Writes the Secret, or writes it anew. What is in it besides, and who else owns it, stays. That it is refused holds up
/// nothing else (R12).
pub(crate) async fn write(context: &Context, observed: &mut Observed) -> Result<(), Error> {
    let Some(cluster) = observed.cluster.clone() else { return Ok(()) };
    observed.credentials = match source(context, &observed.object).await {
        None => Credentials::Unasked,
        Some(Err(message)) => Credentials::Missing(message),
        Some(Ok((values, inherited))) => {
            let namespace = observed.object.namespace().unwrap_or_default();
            let wanted = wanted(&cluster, &namespace, &manifest(&values));
            let secret = name(&cluster);
            match put(context, &cluster, wanted).await {
                Ok(true) => Credentials::Written { secret, inherited },
                Ok(false) => Credentials::Foreign(secret),
                Err(error) => refused("written", &secret, error)?,
            }
        }
    };
    Ok(())
}

/// False: somebody else's is there.
async fn put(context: &Context, cluster: &Cluster, wanted: Secret) -> Result<bool, Error> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &wanted.namespace().unwrap_or_default());
    let Some(target) = api.get_opt(&wanted.name_any()).await? else {
        let parameters = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..Default::default() };
        api.create(&parameters, &wanted).await?;
        return Ok(true);
    };
    if judge(Some(&target), cluster, "") == Found::Foreign {
        return Ok(false);
    }
    let mut owners = target.owner_references().to_vec();
    owners.retain(|owner| !(owner.kind == "Cluster" && owner.name == cluster.name_any()));
    owners.extend(wanted.metadata.owner_references.unwrap_or_default());
    let metadata = json!({"labels": wanted.metadata.labels, "ownerReferences": owners});
    merge(&context.client, &target, json!({"metadata": metadata, "data": wanted.data})).await?;
    Ok(true)
}

/// What the API server, or a policy in front of it, has against the Secret. What passes by itself ends the pass, which
/// is repeated: no answer, a change meanwhile.
fn refused(what: &str, secret: &str, error: Error) -> Result<Credentials, Error> {
    let status = match error {
        Error::Kube(error) => match *error {
            kube::Error::Api(status) => status,
            other => return Err(Error::Kube(Box::new(other))),
        },
        // Of the Secret, not of the cluster.
        Error::Gone => return Err(Error::Conflict),
        other => return Err(other),
    };
    // Only of 403 the words are known to repeat nothing of the Secret.
    let why = if status.code == 403 { status.message.as_str() } else { status.reason.as_str() };
    let message = format!(
        "Secret {secret} cannot be {what}: {} {}. Give the provider that right; where the Secret is immutable, remove it.",
        status.code,
        why.trim_end_matches('.')
    );
    Ok(Credentials::Missing(message))
}

/// As the engine's ClusterResourceSet refers to it.
fn name(cluster: &Cluster) -> String {
    format!("{}-metal-ccm", cluster.name_any())
}

/// The credentials that the annotation names, and whether they are those that the provider itself uses; else what is in
/// the way. None: they are not asked for.
async fn source(context: &Context, object: &MetalStackCluster) -> Option<Result<(Revealed, bool), String>> {
    let annotated = object.annotations().get(names::CCM_CREDENTIALS)?;
    let inherited = annotated == names::INHERIT;
    let own = object.spec.credentials_ref.as_ref().map(|r| r.name.as_str()).filter(|name| !name.is_empty());
    let secret = if inherited { own } else { Some(annotated.as_str()) };
    let values = match secret {
        Some("") => Err(format!("The annotation {} names no Secret.", names::CCM_CREDENTIALS)),
        Some(name) => {
            let namespace = object.namespace().unwrap_or_default();
            context.credential_values(&namespace, name).await.map_err(|failure| failure.message)
        }
        // They reach every project, and what is in the Secret the namespace's people can read (R16).
        None if context.metal.settings().map.is_some() => Err(format!(
            "The provider's own credentials are not handed out where a project map says who may use what: name a Secret \
             in {}.",
            names::CCM_CREDENTIALS
        )),
        None => context.metal.own().cloned().ok_or_else(|| {
            format!("The provider has no credentials of its own: name a Secret in {}.", names::CCM_CREDENTIALS)
        }),
    };
    let revealed = match values {
        Ok(values) => values.reveal().await.map_err(|error| error.to_string()),
        Err(message) => Err(message),
    };
    Some(revealed.map(|values| (values, inherited)))
}

/// What is applied in the workload cluster. JSON is YAML, too.
fn manifest(values: &Revealed) -> String {
    let data = [
        ("api-url", values.url.as_str()),
        ("api-hmac", values.key.expose_secret()),
        ("api-hmac-auth-type", values.auth_type),
    ];
    let data: serde_json::Map<_, _> =
        data.into_iter().map(|(key, value)| (key.to_owned(), BASE64.encode(value).into())).collect();
    let manifest = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "cloud-controller-manager", "namespace": "kube-system"},
        "type": "Opaque",
        "data": data,
    });
    manifest.to_string()
}

fn wanted(cluster: &Cluster, namespace: &str, manifest: &str) -> Secret {
    let mut secret = Secret {
        type_: Some(TYPE.to_owned()),
        data: Some([(KEY.to_owned(), ByteString(manifest.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name(cluster));
    secret.metadata.namespace = Some(namespace.to_owned());
    secret.metadata.labels = Some([(names::CLUSTER_NAME_LABEL.to_owned(), cluster.name_any())].into());
    secret.metadata.owner_references = owned_by(cluster, false).map(|owner| vec![owner]);
    secret
}

/// Ours is what the Cluster owns. The UID of a Cluster that was moved or restored is another: such a reference is
/// renewed before the garbage collector sees it.
fn judge(target: Option<&Secret>, cluster: &Cluster, manifest: &str) -> Found {
    let Some(target) = target else { return Found::Nothing };
    let is_ours = |api_version: &str, kind: &str, name: &str| {
        let group = api_version.split_once('/').map(|(group, _)| group);
        group == Some("cluster.x-k8s.io") && kind == "Cluster" && name == cluster.name_any()
    };
    let owner = target.owner_references().iter().find(|o| is_ours(&o.api_version, &o.kind, &o.name));
    let Some(owner) = owner.filter(|_| target.type_.as_deref() == Some(TYPE)) else { return Found::Foreign };
    let says = target.data.as_ref().and_then(|data| data.get(KEY)).map(|data| data.0.as_slice());
    let labelled = target.labels().get(names::CLUSTER_NAME_LABEL).is_some_and(|of| *of == cluster.name_any());
    if says == Some(manifest.as_bytes()) && Some(&owner.uid) == cluster.metadata.uid.as_ref() && labelled {
        Found::Current
    } else {
        Found::Outdated
    }
}

fn note(context: &Context, namespace: &str, secret: &str, values: &Revealed) {
    let known = CredentialValues::new(&values.url, values.key.expose_secret(), Some(values.auth_type));
    // Values that were read are well-formed.
    if let Ok(known) = known {
        context.credentials.note(namespace, secret, known);
    }
}

#[cfg(test)]
mod tests;
