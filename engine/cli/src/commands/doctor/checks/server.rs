//! The API server: there, and of a version that its Cluster API supports.

use super::Check;
use super::cluster_api::core_release;
use crate::commands::doctor::facts::Facts;

const NAME: &str = "api-server";

/// Minor versions of Kubernetes that a minor version of Cluster API 1 is tested with as management cluster.
const SUPPORTED: [(u32, u32, u32); 4] = [(11, 30, 34), (12, 31, 35), (13, 32, 36), (14, 33, 36)];

pub(super) fn check(facts: &Facts) -> Check {
    let url = &facts.url;
    let version = match &facts.version {
        Ok(version) => version,
        Err(unread) => {
            let mend = "see to the address in the kubeconfig, the way there, its certificate and the user";
            return Check::failed(NAME, format!("{url} does not answer: {}", unread.why), mend);
        }
    };
    let said = format!("{} at {url}", version.text);
    let Some(core) = facts.plane.as_ref().and_then(core_release) else {
        return Check::ok(NAME, said);
    };
    let (major, minor) = core.minor;
    let range = SUPPORTED.iter().find(|(of, _, _)| major == 1 && *of == minor);
    match range {
        None => Check::ok(NAME, format!("{said}; whether Cluster API {} supports it is not known here", core.text)),
        Some((_, first, last)) if version.minor.0 == 1 && (*first..=*last).contains(&version.minor.1) => {
            Check::ok(NAME, format!("{said}; Cluster API {} supports it", core.text))
        }
        Some((_, first, last)) => Check::warning(
            NAME,
            format!("{said}, and Cluster API {} supports Kubernetes 1.{first} to 1.{last}", core.text),
            "bring Cluster API or the management cluster to versions that go together",
        ),
    }
}
