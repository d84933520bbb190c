//! `ferrofleet.yaml` for `run --config`: which fleets, which metal-apis, where to listen. Holds no secret, only the
//! files and variables that do.

use crate::exit::Usage;
use crate::kube::KubeArgs;
use anyhow::Context as _;
use git::{Credentials, Source};
use metal_api::Secret;
use model::ids::Label;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A list of a thousand fleets has some hundred KB.
const FILE_BYTES_MAX: u64 = 4 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) fleets: Vec<FleetEntry>,
    /// By the names that `fleet.yaml` uses in `spec.metal.credentials`.
    #[serde(default)]
    pub(crate) metal: BTreeMap<String, MetalEntry>,
    /// By the names that `fleet.yaml` uses in `spec.managementClusters[].kubeconfig`, or by those of the management
    /// clusters themselves.
    #[serde(default)]
    pub(crate) management_clusters: BTreeMap<Label, ManagementEntry>,
    #[serde(default)]
    pub(crate) listen: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// One branch of one repository.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FleetEntry {
    pub(crate) repo: String,
    #[serde(default = "main_branch")]
    pub(crate) branch: String,
    #[serde(default, deserialize_with = "duration")]
    pub(crate) git_interval: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    pub(crate) metal_interval: Option<Duration>,
    #[serde(default)]
    credentials: CredentialsEntry,
    /// Repositories that `fleet.yaml` may send its output to.
    #[serde(default)]
    pub(crate) outputs: Vec<OutputEntry>,
}

/// A repository for output.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OutputEntry {
    pub(crate) repo: String,
    #[serde(default)]
    credentials: CredentialsEntry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialsEntry {
    username_file: Option<PathBuf>,
    username_env: Option<String>,
    password_file: Option<PathBuf>,
    password_env: Option<String>,
    ssh_key: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MetalEntry {
    pub(crate) url: String,
    hmac_file: PathBuf,
    #[serde(default)]
    auth_type: Option<String>,
}

/// How a management cluster is reached; without a file as kubectl would, or by the service account of this pod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ManagementEntry {
    kubeconfig_file: Option<PathBuf>,
    context: Option<String>,
}

fn main_branch() -> String {
    "main".to_owned()
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::args::duration(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Config {
    /// Reads the file. Paths in it are taken from its own folder.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("the configuration file {} cannot be read", path.display());
        let size = std::fs::metadata(path).with_context(cannot)?.len();
        anyhow::ensure!(size <= FILE_BYTES_MAX, "the configuration file {} has {size} bytes", path.display());
        let text = std::fs::read_to_string(path).with_context(cannot)?;
        let mut config = Self::parse(&text).with_context(|| path.display().to_string())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.paths(|file| *file = folder.join(&file));
        Ok(config)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let config: Self = serde_saphyr::from_str(text).map_err(|e| {
            Usage::new(
                e.to_string(),
                "a configuration has fleets, metal, managementClusters, listen and cacheDir; see `ferrofleet run --help`",
            )
        })?;
        if config.fleets.is_empty() {
            return Err(Usage::new("the configuration names no fleet", "add `fleets: [{repo: URL}]`").into());
        }
        Ok(config)
    }

    fn paths(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        let Self { fleets, metal, management_clusters, listen: _, cache_dir } = self;
        cache_dir.iter_mut().for_each(&mut change);
        management_clusters.values_mut().filter_map(|m| m.kubeconfig_file.as_mut()).for_each(&mut change);
        metal.values_mut().for_each(|m| change(&mut m.hmac_file));
        for fleet in fleets {
            fleet.credentials.paths(&mut change);
            fleet.outputs.iter_mut().for_each(|output| output.credentials.paths(&mut change));
        }
    }
}

impl FleetEntry {
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.read()
    }
}

impl OutputEntry {
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.read()
    }
}

impl CredentialsEntry {
    fn paths(&mut self, change: &mut impl FnMut(&mut PathBuf)) {
        let Self { username_file, username_env: _, password_file, password_env: _, ssh_key, known_hosts, ca_file } =
            self;
        let files = username_file.iter_mut().chain(password_file).chain(ssh_key).chain(known_hosts).chain(ca_file);
        files.for_each(change);
    }

    /// A file wins over a variable.
    fn read(&self) -> Credentials {
        let Self { username_file, username_env, password_file, password_env, ssh_key, known_hosts, ca_file } = self;
        let source = |file: &Option<PathBuf>, env: &Option<String>| {
            file.clone().map(Source::File).or_else(|| env.clone().map(Source::Env))
        };
        Credentials {
            username: source(username_file, username_env),
            password: source(password_file, password_env),
            ssh_key: ssh_key.clone(),
            known_hosts: known_hosts.clone(),
            ca_file: ca_file.clone(),
        }
    }
}

impl ManagementEntry {
    pub(crate) fn args(&self) -> KubeArgs {
        KubeArgs { kubeconfig: self.kubeconfig_file.clone(), context: self.context.clone() }
    }
}

impl MetalEntry {
    pub(crate) fn credentials(&self) -> Result<metal_api::Credentials, Usage> {
        let key = Secret::file(&self.hmac_file);
        Ok(metal_api::Credentials::Hmac { auth_type: auth_type(self.auth_type.as_deref())?, key })
    }
}

/// Metal-Admin where nothing is said, as metal-stack's own clients have it.
pub(crate) fn auth_type(text: Option<&str>) -> Result<metal_api::AuthType, Usage> {
    match text.filter(|t| !t.is_empty()) {
        None => Ok(metal_api::AuthType::Admin),
        Some(text) => text.parse().map_err(|e: metal_api::auth::AuthTypeError| {
            Usage::new(e.to_string(), "Metal-Edit is what the engine needs; Metal-View is enough for `plan`")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "
fleets: [{repo: https://git.example.com/fleet.git, branch: main, gitInterval: 15s, metalInterval: 5m, credentials: {usernameFile: user, passwordFile: /token}}]
metal: {default: {url: https://metal.example.com/metal, hmacFile: hmac, authType: Metal-Edit}}
managementClusters: {mgmt-muc: {kubeconfigFile: mgmt.kubeconfig, context: admin}, here: {}}
listen: 127.0.0.1:9440
cacheDir: /var/cache/ferrofleet
";

    #[test]
    fn the_design_s_example_is_read() {
        let mut config = Config::parse(EXAMPLE).unwrap();
        config.paths(|p| *p = Path::new("/etc/ferrofleet").join(&p));
        let fleet = &config.fleets[0];
        assert_eq!(fleet.git_interval, Some(Duration::from_secs(15)));
        assert_eq!(fleet.metal_interval, Some(Duration::from_secs(300)));
        let Credentials { username: Some(Source::File(user)), password: Some(Source::File(token)), .. } =
            fleet.credentials()
        else {
            panic!("two files")
        };
        assert_eq!((user.to_str(), token.to_str()), (Some("/etc/ferrofleet/user"), Some("/token")));
        let metal = config.metal["default"].credentials().unwrap();
        assert!(matches!(metal, metal_api::Credentials::Hmac { auth_type: metal_api::AuthType::Edit, .. }));
        let access = |name: &str| config.management_clusters[name].args();
        let muc = access("mgmt-muc");
        assert_eq!(muc.kubeconfig.as_deref(), Some(Path::new("/etc/ferrofleet/mgmt.kubeconfig")));
        assert_eq!((muc.context.as_deref(), access("here").kubeconfig), (Some("admin"), None));
        assert_eq!(config.listen, Some("127.0.0.1:9440".parse().unwrap()));
    }

    #[test]
    fn mistakes_have_a_line_and_a_hint() {
        for (bad, expected) in [
            ("fleets: []", "names no fleet"),
            ("fleets: [{repo: x}]\nmetall: {}", "metall"),
            ("fleets: [{repo: x}]\nmanagementClusters: {a: {kubeconfig: x}}", "kubeconfig"),
            ("fleets: [{repo: x, gitInterval: soon}]", "a duration is written like"),
            ("fleets: [{repo: x}]\nmetal: {default: {url: x, hmac: secret}}", "hmac"),
        ] {
            let error = Config::parse(bad).unwrap_err();
            assert!(error.is::<Usage>());
            assert!(error.to_string().contains(expected), "{bad}: {error}");
        }
        assert!(auth_type(Some("metal-admin")).is_err());
    }
}
