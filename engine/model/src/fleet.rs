//! `fleet.yaml`: projects, stages, management clusters, defaults. Written by people.

use crate::ids::Label;
use crate::{Cidr, FleetName, Namespace, PartitionId, ProjectId, Seconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The document `fleet.yaml` at the root of a fleet repository.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fleet {
    pub api_version: ApiVersion,
    pub kind: FleetKind,
    pub metadata: FleetMetadata,
    pub spec: FleetSpec,
}

/// The only version of every document so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    #[default]
    #[serde(rename = "fleet.metal-stack.io/v1alpha1")]
    V1Alpha1,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FleetKind {
    #[default]
    Fleet,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetMetadata {
    /// Also the fleet's tag on metal-api resources; immutable once resources carry it.
    pub name: FleetName,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetSpec {
    pub metal: FleetMetal,
    #[serde(default)]
    pub addons: FleetAddons,
    /// Where rendered manifests are applied; at least one.
    pub management_clusters: Vec<ManagementCluster>,
    /// In the order of promotion; at least one.
    pub stages: Vec<Stage>,
    /// Where rendered files go, and how Argo CD and Flux reach them.
    #[serde(default)]
    pub output: OutputSettings,
    #[serde(default)]
    pub commit: CommitSettings,
    #[serde(default, skip_serializing_if = "FleetLimits::is_default")]
    pub limits: FleetLimits,
    #[serde(default, skip_serializing_if = "FleetDeletion::is_default")]
    pub deletion: FleetDeletion,
    /// Nothing is written, in Git or metal-api, while true.
    #[serde(default)]
    pub paused: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetMetal {
    /// Every project that may be touched (R16): an HMAC key reaches all of metal-api, the fleet must not.
    pub projects: Vec<FleetProject>,
    /// Default project of a definition; may be left out when `projects` has one entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Default partition of a definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionId>,
    /// The metal-api as nodes see it: the firewall lets them reach it (R21).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_api_url: Option<HttpUrl>,
    /// The addresses behind `nodeApiUrl`.
    #[serde(default, rename = "nodeApiCIDRs", skip_serializing_if = "Vec::is_empty")]
    pub node_api_cidrs: Vec<Cidr>,
    /// Which metal-api of the engine's configuration this fleet uses.
    #[serde(default = "default_credentials")]
    pub credentials: Label,
}

fn default_credentials() -> Label {
    #[expect(clippy::expect_used, reason = "a constant that a test parses")]
    Label::parse("default").expect("`default` is a name")
}

/// An absolute http or https URL without user name, password, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HttpUrl(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no URL like https://metal.example.com/metal (no user, password, query or fragment)")]
pub struct HttpUrlError(String);

impl HttpUrl {
    pub fn parse(text: &str) -> Result<Self, HttpUrlError> {
        let refused = || HttpUrlError(text.split('@').next_back().unwrap_or_default().to_owned());
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refused)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '?' | '#' | '"' | '\'' | '\\' | '<' | '>');
        if authority.is_empty() || !rest.chars().all(plain) || self::port(authority).is_err() {
            return Err(refused());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The port, 80 or 443 where none is written.
    pub fn port(&self) -> u16 {
        let default = if self.0.starts_with("https://") { 443 } else { 80 };
        let authority = self.0.split("://").nth(1).and_then(|r| r.split('/').next()).unwrap_or_default();
        port(authority).ok().flatten().unwrap_or(default)
    }
}

fn port(authority: &str) -> Result<Option<u16>, std::num::ParseIntError> {
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    after_host.rsplit_once(':').map(|(_, port)| port.parse()).transpose()
}

impl<'de> Deserialize<'de> for HttpUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for HttpUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HttpUrl".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An absolute http or https URL without user name, password, query or fragment.",
            "pattern": "^https?://[^/@?#\\s]+(/[^@?#\\s]*)?$",
            "examples": ["https://metal.example.com/metal"],
        })
    }
}

/// A metal-stack project that this fleet may touch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetProject {
    pub id: ProjectId,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Stages whose clusters may use it; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Label>,
    /// Namespaces whose clusters may use it; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<Namespace>,
    #[serde(default, skip_serializing_if = "ProjectLimits::is_default")]
    pub limits: ProjectLimits,
}

/// What this fleet's clusters may have in a project; absent: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectLimits {
    /// Control-plane and pool replicas of all clusters together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewalls: Option<u32>,
    /// VIPs and egress addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<u32>,
}

impl ProjectLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetAddons {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ccm: Option<CcmSettings>,
}

/// The cloud controller manager (metal-ccm).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CcmSettings {
    /// Name of the credentials that its Secret is made from, by the provider or a person (R12); never in Git.
    pub credentials_ref: Label,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagementCluster {
    pub name: Label,
    #[serde(default)]
    pub role: ManagementRole,
    /// Which Cluster API provider runs there; fields that CAPMS does not know are rendered only for `ferrofleet` (R26).
    #[serde(default)]
    pub provider: ProviderKind,
    /// What applies the output there; its objects are written below `gitops/`.
    #[serde(default)]
    pub gitops: GitOpsTool,
    #[serde(default, skip_serializing_if = "ArgocdSettings::is_default")]
    pub argocd: ArgocdSettings,
    #[serde(default, skip_serializing_if = "FluxSettings::is_default")]
    pub flux: FluxSettings,
    /// By which name the engine's configuration has the access to it (`managementClusters` there); its own name where
    /// absent. Without access deletions wait for `deletion.syncDelay`, and delegated values are not read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<Label>,
    /// For role `metal`: the clusters of this fleet on which its metal-api runs. A cluster may not need itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<crate::ClusterName>,
}

/// What a management cluster is for (metal-stack's topologies).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagementRole {
    /// Runs metal-api.
    Metal,
    /// Runs Cluster API.
    #[default]
    Kclm,
    /// Runs both; a warning for production clusters.
    Shared,
    /// Exists only until another one does.
    Bootstrap,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ProviderKind {
    #[default]
    Capms,
    Ferrofleet,
}

/// What applies rendered manifests in a management cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum GitOpsTool {
    /// Applications.
    Argocd,
    /// Kustomizations.
    Flux,
    /// You, with `kubectl apply --server-side -k` or by other means.
    #[default]
    None,
}

/// Where Argo CD's Applications go, with `gitops: argocd`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ArgocdSettings {
    /// Argo CD's own namespace.
    pub namespace: Namespace,
    /// The AppProject, which must admit the repository and the management cluster.
    pub project: Label,
    /// The management cluster as Argo CD reaches it.
    pub server: String,
}

impl Default for ArgocdSettings {
    #[expect(clippy::expect_used, reason = "constants that a test parses")]
    fn default() -> Self {
        Self {
            namespace: Namespace::parse("argocd").expect("`argocd` is a namespace"),
            project: Label::parse("default").expect("`default` is a name"),
            server: "https://kubernetes.default.svc".to_owned(),
        }
    }
}

impl ArgocdSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where Flux's objects go, with `gitops: flux`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FluxSettings {
    /// Flux's own namespace.
    pub namespace: Namespace,
}

impl Default for FluxSettings {
    #[expect(clippy::expect_used, reason = "a constant that a test parses")]
    fn default() -> Self {
        Self { namespace: Namespace::parse("flux-system").expect("`flux-system` is a namespace") }
    }
}

impl FluxSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where `rendered/` and `gitops/` go. Locks stay beside their definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputSettings {
    /// Another repository, as the engine reaches it, without credentials; this one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// A branch of its own for the output; made when it is not there. The definitions' branch where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The repository of the output as Argo CD and Flux reach it, without credentials; needed where a management cluster
    /// has one of the two.
    #[serde(default, rename = "sourceURL", skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// The branch that Argo CD and Flux read; `branch` where absent, else the branch of the definitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_branch: Option<String>,
    /// A Secret of Flux's namespace with the credentials for `sourceURL`. Argo CD has repository Secrets of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<crate::ids::SecretName>,
}

/// One step of promotion, with defaults for its clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    pub name: Label,
    pub management_cluster: Label,
    /// Default namespace; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Default policy; `default` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// Gardener's purposes; drives which classifications are allowed and the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    #[default]
    Evaluation,
    Development,
    Testing,
    Production,
}

/// What one fleet may spend (R16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FleetLimits {
    /// Resources that are freed within an hour, duplicates and replaced firewalls not counted; beyond it a person
    /// acknowledges `BudgetExceeded`.
    pub frees_per_hour: u32,
}

impl Default for FleetLimits {
    fn default() -> Self {
        Self { frees_per_hour: 10 }
    }
}

impl FleetLimits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What deletions wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FleetDeletion {
    /// How long the VIP of a deleted cluster is kept before it is freed: metal-api hands a free address out at once.
    pub vip_hold: Seconds,
    /// How long each phase waits where the management cluster cannot be asked whether the one before was synced.
    pub sync_delay: Seconds,
}

impl Default for FleetDeletion {
    fn default() -> Self {
        Self { vip_hold: Seconds::minutes(60), sync_delay: Seconds::minutes(15) }
    }
}

impl FleetDeletion {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How the engine commits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<CommitAuthor>,
    /// The first line of the engine's commits: `{{title}}` is what happened, `{{reason}}` one word of it, `{{clusters}}`
    /// their names and `{{fleet}}` the fleet's. `{{title}}` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Author and committer of the engine's commits; `Ferrofleet <ferrofleet@localhost>` where absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommitAuthor {
    pub name: String,
    pub email: String,
}

impl Fleet {
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.spec.stages.iter().find(|s| s.name.as_str() == name)
    }

    pub fn management_cluster(&self, name: &str) -> Option<&ManagementCluster> {
        self.spec.management_clusters.iter().find(|m| m.name.as_str() == name)
    }

    pub fn project(&self, id: &ProjectId) -> Option<&FleetProject> {
        self.spec.metal.projects.iter().find(|p| p.id == *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_credentials_have_a_name() {
        assert_eq!(default_credentials().as_str(), "default");
        assert_eq!(ArgocdSettings::default().namespace.as_str(), "argocd");
        assert_eq!(FluxSettings::default().namespace.as_str(), "flux-system");
    }

    #[test]
    fn i7_a_url_with_a_password_is_refused_without_repeating_it() {
        let error = HttpUrl::parse("https://user:hunter2@metal.example.com/metal").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(HttpUrl::parse("https://metal.example.com/metal/").unwrap().port(), 443);
        assert_eq!(HttpUrl::parse("http://metal.example.com:8080").unwrap().port(), 8080);
        for bad in ["metal.example.com", "ftp://x", "https://", "https://a b", "https://x?y", "https://x:port"] {
            assert!(HttpUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
