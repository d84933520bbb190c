//! `ferrofleet doctor`: whether a management cluster and its metal-api are fit for the provider.
//!
//! The edge gathers facts, a pure function judges them: see `facts` and `checks`.

mod checks;
mod facts;
mod gather;
mod managers;

use crate::args::Format;
use crate::exit::{Exit, Usage};
use crate::kube::KubeArgs;
use crate::output::{self, plain, styles, table::Table};
use checks::{Check, State};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Check a management cluster and its metal-api before the provider acts on them; nothing is written
///
/// Each check is ok, a warning, failed or skipped, with why and how to mend it. Exits 1 when one failed. Clusters that
/// name credentials of their own are checked with these; what a Secret holds is not shown.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet doctor --kubeconfig mgmt.kubeconfig\n  \
    ferrofleet doctor --context mgmt-muc --metal none\n  \
    ferrofleet doctor --metal capms-system/capms-controller-manager-config -o json")]
pub(crate) struct DoctorArgs {
    /// The provider's credentials for metal-api: env (METAL_API_*), none, or a Secret as <namespace>/<name>
    /// [default: env where METAL_API_URL is set, else CAPMS's Secret where it is there]
    #[arg(long, env = "FERROFLEET_METAL", value_name = "WHERE", hide_env = true)]
    metal: Option<Metal>,
    /// How the checks are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    kube: KubeArgs,
}

/// Where the provider's own credentials for metal-api are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Metal {
    Environment,
    None,
    Secret(SecretName),
}

/// A Secret of the management cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SecretName {
    namespace: String,
    name: String,
}

impl std::fmt::Display for SecretName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for Metal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once('/')) {
            ("env", _) => Ok(Self::Environment),
            ("none", _) => Ok(Self::None),
            (_, Some((namespace, name))) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::Secret(SecretName { namespace: namespace.to_owned(), name: name.to_owned() }))
            }
            _ => Err("it is env, none, or a Secret as <namespace>/<name>".to_owned()),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// Whether nothing failed.
    healthy: bool,
    server: String,
    checks: Vec<Check>,
}

pub(crate) async fn doctor(args: DoctorArgs) -> anyhow::Result<Exit> {
    if args.metal == Some(Metal::Environment) && std::env::var_os("METAL_API_URL").is_none_or(|url| url.is_empty()) {
        let hint = "set METAL_API_URL, METAL_API_HMAC and METAL_API_HMAC_AUTH_TYPE, or leave --metal out";
        return Err(Usage::new("--metal env: METAL_API_URL is not set", hint).into());
    }
    let server = args.kube.server().await?;
    let facts = gather::facts(&server, args.metal.as_ref()).await;
    let checks = checks::examine(&facts);
    let healthy = checks.iter().all(|check| check.state != State::Failed);
    let shown = Shown { healthy, server: server.url.clone(), checks };
    output::show(args.output, &shown, || text(&shown))?;
    Ok(if healthy { Exit::Done } else { Exit::Failed })
}

/// Names of what is well, in one line.
const NAMED_MAX: usize = 3;

fn text(shown: &Shown) -> String {
    let mut table = Table::plain(3);
    let mut well: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for check in shown.checks.iter().filter(|check| check.state == State::Ok) {
        well.entry(check.check).or_default().extend(check.about.as_deref());
    }
    for check in &shown.checks {
        let Check { check: name, about, state, why, mend } = check;
        let several = well.get_mut(name).filter(|about| *state == State::Ok && about.len() > 1);
        // Many things that are well are said once.
        let why = match (several, about) {
            (Some(names), _) if names.first() == about.as_deref().as_ref() => {
                let (first, rest) = names.split_at(names.len().min(NAMED_MAX));
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                format!("{}{more}", first.join(", "))
            }
            (Some(_), _) => continue,
            (None, Some(about)) => format!("{about}: {why}"),
            (None, None) => why.clone(),
        };
        let styled = match state {
            State::Ok => styles::good(state),
            State::Warning => styles::warn(state),
            State::Failed => styles::bad(state),
            State::Skipped => styles::dim(state),
        };
        table.row([styled, (*name).to_owned(), plain(&why).into_owned()]);
        if let Some(mend) = mend {
            table.row([String::new(), String::new(), format!("mend: {}", plain(mend))]);
        }
    }
    let count = |state: State| shown.checks.iter().filter(|check| check.state == state).count();
    let (failed, warnings) = (count(State::Failed), count(State::Warning));
    format!(
        "{}{} {failed} failed, {}, {} ok, {} skipped\n",
        table.text(),
        styles::bold("Doctor:"),
        output::count(warnings, "warning"),
        count(State::Ok),
        count(State::Skipped),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_somewhere() {
        let secret = SecretName { namespace: "capms-system".to_owned(), name: "config".to_owned() };
        assert_eq!("capms-system/config".parse(), Ok(Metal::Secret(secret)));
        assert_eq!("env".parse(), Ok(Metal::Environment));
        assert_eq!("none".parse(), Ok(Metal::None));
        for bad in ["", "config", "/config", "a/", "a/b/c"] {
            assert!(bad.parse::<Metal>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_well_is_said_once_and_the_rest_with_its_mend() {
        let ok = |about: &str| Check::ok("endpoint", "answers").about(about);
        let mut checks = vec![Check::ok("api-server", "v1.35.0")];
        checks.extend(["a/a", "a/b", "a/c", "a/d"].map(ok));
        checks.push(Check::warning("endpoint", "does not answer", "look at it").about("a/e"));
        let shown = Shown { healthy: true, server: String::new(), checks };
        assert_eq!(
            anstream::adapter::strip_str(&text(&shown)).to_string(),
            "  ok       api-server  v1.35.0\n\
             \x20 ok       endpoint    a/a, a/b, a/c and 1 more\n\
             \x20 warning  endpoint    a/e: does not answer\n\
             \x20                      mend: look at it\n\
             Doctor: 0 failed, 1 warning, 5 ok, 0 skipped\n"
        );
    }
}
