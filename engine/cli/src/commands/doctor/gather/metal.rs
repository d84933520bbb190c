//! The metal-apis, each asked once with each credential, in bulk.

use super::super::{Metal as Wanted, SecretName};
use super::{each, read};
use crate::commands::doctor::facts::{Answers, Cluster, Metal, MetalState, Project, Trouble};
use crate::config::auth_type;
use crate::kube::Server;
use crate::wiring::{self, SystemClock};
use ::kube::Api;
use k8s_openapi::api::core::v1::Secret as Stored;
use metal_api::{Credentials, Error, HttpMetal, Metal as _, Options, Secret};
use model::metal::MachineRole;
use model::{Clock as _, ProjectId, Tags, tags};
use provider::components::{CREDENTIALS, NAMESPACE, SECRET};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a metal-api is reached, or the state of a check that cannot be made.
type Way = Result<(String, Credentials), MetalState>;

pub(super) async fn metals(
    server: &Server,
    answers: bool,
    wanted: Option<&Wanted>,
    clusters: &[Cluster],
) -> BTreeMap<Option<String>, Metal> {
    let mut projects: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::from([(None, BTreeSet::new())]);
    if wanted != Some(&Wanted::None) {
        for spec in clusters.iter().filter_map(|cluster| cluster.spec.as_ref().ok()) {
            projects.entry(spec.credentials.clone()).or_default().insert(spec.project.clone());
        }
    }
    let mut ways = Vec::new();
    for (credentials, projects) in projects {
        let (from, way) = match &credentials {
            None => own(server, answers, wanted).await,
            Some(id) => {
                let (namespace, name) = id.split_once('/').unwrap_or(("", id));
                let secret = SecretName { namespace: namespace.to_owned(), name: name.to_owned() };
                (format!("Secret {secret}"), of_secret(server, &secret).await)
            }
        };
        ways.push((credentials, from, way, projects));
    }
    let asked = each(ways, |(credentials, from, way, projects)| async move {
        let state = match way {
            Ok((url, key)) => ask(url, key, &projects).await,
            Err(state) => state,
        };
        (credentials, Metal { from, state })
    });
    asked.await.into_iter().collect()
}

/// The provider's own: where `--metal` says, else the environment, else the Secret of CAPMS.
async fn own(server: &Server, answers: bool, wanted: Option<&Wanted>) -> (String, Way) {
    let environment = || match wiring::from_environment() {
        Ok(Some(way)) => Some(Ok(way)),
        Ok(None) => None,
        Err(usage) => Some(Err(MetalState::Unusable(usage.to_string(), usage.hint().to_owned()))),
    };
    let of_environment = || "METAL_API_*".to_owned();
    match wanted {
        Some(Wanted::None) => (of_environment(), Err(MetalState::Unwanted)),
        Some(Wanted::Environment) => (of_environment(), environment().unwrap_or(Err(MetalState::Unnamed))),
        Some(Wanted::Secret(secret)) => (format!("Secret {secret}"), of_secret(server, secret).await),
        None => match environment() {
            Some(way) => (of_environment(), way),
            None if answers => {
                let secret = SecretName { namespace: NAMESPACE.to_owned(), name: SECRET.to_owned() };
                match stored(server, &secret).await {
                    Ok(Some(stored)) => (format!("Secret {secret}"), way_of(&secret, &stored)),
                    Ok(None) | Err(_) => (of_environment(), Err(MetalState::Unnamed)),
                }
            }
            None => (of_environment(), Err(MetalState::Unnamed)),
        },
    }
}

async fn stored(server: &Server, secret: &SecretName) -> Result<Option<Stored>, String> {
    let api = Api::<Stored>::namespaced(server.client.clone(), &secret.namespace);
    read(api.get_opt(&secret.name).await).map_err(|unread| unread.why)
}

async fn of_secret(server: &Server, secret: &SecretName) -> Way {
    match stored(server, secret).await {
        Ok(Some(stored)) => way_of(secret, &stored),
        Ok(None) => Err(unusable(format!("there is no Secret {secret}"), "make it, or name another")),
        Err(why) => {
            Err(unusable(format!("Secret {secret} cannot be read: {why}"), "let the user read it, or --metal none"))
        }
    }
}

fn unusable(why: String, mend: &str) -> MetalState {
    MetalState::Unusable(why, mend.to_owned())
}

/// A value is never repeated: whoever swaps two keys would see a secret.
fn way_of(secret: &SecretName, stored: &Stored) -> Way {
    let [url, key, kind] = CREDENTIALS.map(|(name, variable)| {
        // Keys like the Secret of CAPMS, or like the variables.
        let data = stored.data.as_ref();
        let value = data.and_then(|data| data.get(name).or_else(|| data.get(variable)));
        let text = value.and_then(|value| std::str::from_utf8(&value.0).ok()).map(str::trim);
        (name, text.filter(|text| !text.is_empty()).map(str::to_owned))
    });
    let required = |(name, value): (&str, Option<String>)| {
        value.ok_or_else(|| {
            let keys = CREDENTIALS.map(|(name, _)| name).join(", ");
            unusable(format!("Secret {secret} has no key {name}"), &format!("its keys are {keys}"))
        })
    };
    let (url, key) = (required(url)?, required(key)?);
    let auth_type = auth_type(kind.1.as_deref())
        .map_err(|usage| unusable(format!("Secret {secret}, {}: {usage}", kind.0), usage.hint()))?;
    Ok((url, Credentials::Hmac { auth_type, key: Secret::value(key) }))
}

async fn ask(url: String, credentials: Credentials, projects: &BTreeSet<String>) -> MetalState {
    let metal = match HttpMetal::new(Options::new(url, credentials), Arc::new(SystemClock)) {
        Ok(metal) => metal,
        Err(error) => return unusable(error.to_string(), "mend METAL_API_URL, or api-url of the Secret"),
    };
    let version = metal.version().await.map(|version| version.version).map_err(|e| trouble(&e));
    // The newest answer is a moment old.
    let skew = metal.server_time().map(|time| time.as_second() - SystemClock.now().as_second());
    let health = metal.health().await.map(|health| (health.healthy, health.message)).map_err(|e| trouble(&e));
    let partitions = metal.partitions().await.map_err(|e| trouble(&e));
    let partitions = partitions.map(|all| all.iter().map(ToString::to_string).collect());
    let mut found = BTreeMap::new();
    // Each refusal would be one more.
    if partitions.is_ok() {
        for id in projects {
            found.insert(id.clone(), project(&metal, id).await);
        }
    }
    let url = metal.url().to_string();
    MetalState::Asked(Box::new(Answers { url, version, health, skew, partitions, projects: found }))
}

async fn project(metal: &HttpMetal, id: &str) -> Project {
    let id = match ProjectId::parse(id) {
        Ok(id) => id,
        Err(error) => {
            let trouble = Trouble::NotFound(error.to_string());
            return Project { known: Err(trouble.clone()), networks: Err(trouble.clone()), firewalls: Err(trouble) };
        }
    };
    let all = Tags::new();
    let (known, networks, firewalls) = tokio::join!(
        metal.project(&id),
        metal.networks(&id, &all),
        metal.machines(&id, Some(MachineRole::Firewall), &all),
    );
    let firewall = |machine: &model::metal::Machine| {
        (machine.id.to_string(), machine.tags.get(tags::CLUSTER_RESOURCE).map(str::to_owned))
    };
    Project {
        known: known.map(|project| project.name).map_err(|e| trouble(&e)),
        networks: networks.map(|all| all.iter().map(|n| n.id.to_string()).collect()).map_err(|e| trouble(&e)),
        firewalls: firewalls.map(|all| all.iter().map(firewall).collect()).map_err(|e| trouble(&e)),
    }
}

fn trouble(error: &Error) -> Trouble {
    let text = error.text().to_owned();
    match error {
        Error::Denied { skew, .. } => Trouble::Denied { skew: *skew, text },
        Error::NotFound { .. } => Trouble::NotFound(text),
        _ => Trouble::Other(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    #[test]
    fn a_secret_is_named_by_what_it_lacks_and_never_quoted() {
        let secret = SecretName { namespace: "a".to_owned(), name: "metal".to_owned() };
        let stored = |pairs: &[(&str, &str)]| Stored {
            data: Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect()),
            ..Stored::default()
        };
        let url = ("api-url", "https://metal.example.com/metal\n");
        let (got, Credentials::Hmac { auth_type, .. }) =
            way_of(&secret, &stored(&[url, ("api-hmac", "canary"), ("api-hmac-auth-type", "Metal-Edit")])).unwrap()
        else {
            panic!("an HMAC")
        };
        assert_eq!((got.as_str(), auth_type.as_str()), ("https://metal.example.com/metal", "Metal-Edit"));
        let by_variable = [("METAL_API_URL", "http://a"), ("METAL_API_HMAC", "canary")];
        assert!(way_of(&secret, &stored(&by_variable)).is_ok());
        let bad = [
            (vec![url], "has no key api-hmac"),
            (vec![("api-hmac", "canary")], "has no key api-url"),
            (vec![url, ("api-hmac", "x"), ("api-hmac-auth-type", "canary")], "api-hmac-auth-type: the HMAC type"),
        ];
        for (pairs, words) in bad {
            let Err(MetalState::Unusable(why, mend)) = way_of(&secret, &stored(&pairs)) else { panic!("{words}") };
            assert!(why.contains(words) && !mend.is_empty() && !why.contains("canary"), "{why}");
        }
    }
}
