//! From a Deployment to what matters of a manager: which, its version, its feature gates.

use super::facts::Release;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Container;
use std::collections::BTreeMap;

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Core,
    KubeadmBootstrap,
    KubeadmControlPlane,
    Helm,
    Capms,
}

impl Role {
    /// By the last part of the image's name.
    fn of_image(name: &str) -> Option<Self> {
        match name {
            "cluster-api-controller" => Some(Self::Core),
            "kubeadm-bootstrap-controller" => Some(Self::KubeadmBootstrap),
            "kubeadm-control-plane-controller" => Some(Self::KubeadmControlPlane),
            "cluster-api-helm-controller" => Some(Self::Helm),
            "cluster-api-metal-stack-controller" => Some(Self::Capms),
            _ => None,
        }
    }

    /// By clusterctl's label, where a mirror has other names. CAPMS is not told from us by it.
    fn of_label(label: &str) -> Option<Self> {
        match label {
            "cluster-api" => Some(Self::Core),
            "bootstrap-kubeadm" => Some(Self::KubeadmBootstrap),
            "control-plane-kubeadm" => Some(Self::KubeadmControlPlane),
            "addon-helm" => Some(Self::Helm),
            _ => None,
        }
    }
}

/// clusterctl's label of everything that belongs to a provider.
const PROVIDER_LABEL: &str = "cluster.x-k8s.io/provider";

/// A Deployment of one of these programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    pub(super) role: Role,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) replicas: i32,
    pub(super) image: String,
    /// Of the image's tag; a digest says none.
    pub(super) version: Option<Release>,
    /// Those that are said; None: the value stands where it cannot be read.
    pub(super) gates: BTreeMap<String, Option<bool>>,
}

impl Manager {
    pub(super) fn of(deployment: &Deployment) -> Option<Self> {
        let spec = deployment.spec.as_ref()?;
        let pod = spec.template.spec.as_ref()?;
        let label = deployment.metadata.labels.as_ref().and_then(|labels| labels.get(PROVIDER_LABEL));
        let by_image = pod.containers.iter().find_map(|c| Some((Role::of_image(image_name(c))?, c)));
        // The container is named so by contract.
        let by_label = || {
            let role = Role::of_label(label?)?;
            Some((role, pod.containers.iter().find(|c| c.name == "manager")?))
        };
        let (role, container) = by_image.or_else(by_label)?;
        let image = container.image.clone().unwrap_or_default();
        Some(Self {
            role,
            namespace: deployment.metadata.namespace.clone().unwrap_or_default(),
            name: deployment.metadata.name.clone().unwrap_or_default(),
            replicas: spec.replicas.unwrap_or(1),
            version: tag(&image).and_then(Release::parse),
            gates: gates(container),
            image,
        })
    }

    /// `<namespace>/<name>`
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// `cluster-api-controller` of `registry.k8s.io/cluster-api/cluster-api-controller:v1.11.2@sha256:…`
fn image_name(container: &Container) -> &str {
    let last = last_part(container.image.as_deref().unwrap_or_default());
    last.split(':').next().unwrap_or_default()
}

fn tag(image: &str) -> Option<&str> {
    last_part(image).split_once(':').map(|(_, tag)| tag)
}

/// After the registry, whose port is no tag, and before the digest.
fn last_part(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or_default();
    named.rsplit('/').next().unwrap_or_default()
}

/// The last `--feature-gates` of the arguments wins for each gate; Kubernetes fills `$(NAME)` from the environment.
fn gates(container: &Container) -> BTreeMap<String, Option<bool>> {
    let words = container.command.iter().chain(&container.args).flatten();
    let mut words = words.map(|word| expanded(word, container));
    let mut found = BTreeMap::new();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { continue };
        let value = match flag.split_once('=') {
            Some(("feature-gates", value)) => Some(value.to_owned()),
            None if flag == "feature-gates" => words.next(),
            _ => None,
        };
        for pair in value.iter().flat_map(|value| value.split(',')) {
            if let Some((gate, value)) = pair.split_once('=') {
                found.insert(gate.trim().to_owned(), go_bool(value.trim()));
            }
        }
    }
    found
}

/// As Go reads it.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn expanded(word: &str, container: &Container) -> String {
    let known = container.env.iter().flatten().filter_map(|v| Some((format!("$({})", v.name), v.value.as_ref()?)));
    known.fold(word.to_owned(), |word, (name, value)| word.replace(&name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn manager(label: &str, container: &Value) -> Option<Manager> {
        let deployment = json!({
            "metadata": {"name": "m", "namespace": "n", "labels": {PROVIDER_LABEL: label}},
            "spec": {"selector": {}, "template": {"spec": {"containers": [container]}}},
        });
        Manager::of(&serde_json::from_value(deployment).unwrap())
    }

    #[test]
    fn a_manager_is_known_by_image_or_label() {
        let of = |label: &str, image: &str| {
            let found = manager(label, &json!({"name": "manager", "image": image}))?;
            Some((found.role, found.version.map(|version| version.minor)))
        };
        let core = "registry.k8s.io/cluster-api/cluster-api-controller:v1.11.2";
        assert_eq!(of("", core), Some((Role::Core, Some((1, 11)))));
        assert_eq!(of("", &format!("{core}@sha256:abc")), Some((Role::Core, Some((1, 11)))));
        let digest = "mirror.example.com:5000/kubeadm-bootstrap-controller@sha256:abc";
        assert_eq!(of("", digest), Some((Role::KubeadmBootstrap, None)));
        assert_eq!(of("control-plane-kubeadm", "a:v1.12.0"), Some((Role::KubeadmControlPlane, Some((1, 12)))));
        let capms = "ghcr.io/metal-stack/cluster-api-metal-stack-controller:v0.8.0";
        assert_eq!(of("infrastructure-metal-stack", capms), Some((Role::Capms, Some((0, 8)))));
        assert_eq!(of("infrastructure-metal-stack", "ghcr.io/ferrofleet/ferrofleet:v0.1.0"), None);
        assert_eq!(of("", "nginx:1.27"), None);
    }

    #[test]
    fn gates_come_from_arguments_and_environment() {
        let of = |container: Value| {
            let mut container = container;
            container["name"] = "manager".into();
            container["image"] = "kubeadm-bootstrap-controller:v1.11.0".into();
            manager("", &container).unwrap().gates.get("Ignition").copied()
        };
        let env = json!([{"name": "ON", "value": "true"}, {"name": "SECRET", "valueFrom": {}}]);
        let cases = [
            (json!({}), None),
            (json!({"args": ["--feature-gates=A=true,Ignition=true"]}), Some(Some(true))),
            (json!({"args": ["--feature-gates", "Ignition=false"]}), Some(Some(false))),
            (json!({"command": ["/manager", "--feature-gates=Ignition=1"]}), Some(Some(true))),
            (json!({"args": ["--feature-gates=Ignition=true", "--feature-gates=Ignition=false"]}), Some(Some(false))),
            (json!({"args": ["--feature-gates=Ignition=$(ON)"], "env": env}), Some(Some(true))),
            (json!({"args": ["--feature-gates=Ignition=$(SECRET)"], "env": env}), Some(None)),
        ];
        for (container, expected) in cases {
            assert_eq!(of(container.clone()), expected, "{container}");
        }
    }
}
