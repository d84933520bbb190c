//! Kubeconfigs: which files, and whether what they say hangs together.

use super::merged;
use crate::exit::Usage;
use crate::words;
use kube::config::{Kubeconfig, KubeconfigError};
use std::path::{Path, PathBuf};

/// The files of `KUBECONFIG`, where it names any.
pub(super) fn of_environment() -> Option<Vec<PathBuf>> {
    let value = std::env::var_os("KUBECONFIG")?;
    let files: Vec<_> = std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect();
    (!files.is_empty()).then_some(files)
}

/// kubectl's own, where it is there.
pub(super) fn of_home() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    let file = Path::new(&home).join(".kube/config");
    file.exists().then_some(file)
}

/// Reads and merges. As with kubectl, one of several files may be missing.
pub(super) fn read(files: &[PathBuf]) -> Result<Kubeconfig, Usage> {
    let there: Vec<_> = files.iter().filter(|file| files.len() == 1 || file.exists()).collect();
    if there.is_empty() {
        let names = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Usage::new(format!("none of {names} is there"), "name one that is in KUBECONFIG"));
    }
    let read = |file: &&PathBuf| Kubeconfig::read_from(file).map_err(|error| unreadable(&error, file));
    let configs = there.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    merged(configs).map_err(|error| {
        let hint = "every file of KUBECONFIG has kind Config and apiVersion v1";
        Usage::new(format!("the files of KUBECONFIG do not go together: {error}"), hint)
    })
}

fn unreadable(error: &KubeconfigError, file: &Path) -> Usage {
    let file = file.display();
    match error {
        KubeconfigError::ReadConfig(error, _) => {
            Usage::new(format!("{file} cannot be read: {error}"), "name a kubeconfig that is there and yours to read")
        }
        other => Usage::new(format!("{file} is no kubeconfig{}", place_of(other)), "fetch the kubeconfig anew"),
    }
}

/// The text of a kubeconfig; what is wrong without what it says, which may be a key (I7).
pub(crate) fn parsed(text: &str) -> Result<Kubeconfig, Wrong> {
    Kubeconfig::from_yaml(text).map_err(|error| Wrong {
        what: format!("this is no kubeconfig{}", place_of(&error)),
        mend: "fetch the kubeconfig anew".to_owned(),
    })
}

/// The line; a parser's words would quote it.
fn place_of(error: &KubeconfigError) -> String {
    let line = match error {
        KubeconfigError::Parse(error) => error.location().map(|location| location.line()),
        _ => None,
    };
    line.map_or_else(String::new, |line| format!(": line {line}"))
}

/// What does not hang together in a kubeconfig, by its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Wrong {
    /// With where it stands.
    pub(crate) fn at(self, place: &str) -> Usage {
        Usage::new(format!("{place}: {}", self.what), self.mend)
    }
}

/// What a context leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) context: String,
    pub(crate) server: String,
}

/// The context that is used, and that cluster and user of it are there. Certificates and keys are not looked at.
pub(crate) fn chosen(config: &Kubeconfig, wanted: Option<&str>) -> Result<Chosen, Wrong> {
    let wrong = |what: String, mend: String| Err(Wrong { what, mend });
    let contexts = || config.contexts.iter().map(|context| context.name.as_str());
    if config.contexts.is_empty() {
        let mend = "a kubeconfig has clusters, users and contexts; `kubectl config view` shows one";
        return wrong("contexts: there are none".to_owned(), mend.to_owned());
    }
    let current = config.current_context.as_deref().filter(|name| !name.is_empty());
    let Some(name) = wanted.or(current) else {
        let mend = format!("name a context: {}", contexts().collect::<Vec<_>>().join(", "));
        return wrong("current-context is not set".to_owned(), mend);
    };
    let found = config.contexts.iter().find(|context| context.name == name);
    let Some(context) = found.and_then(|found| found.context.as_ref()) else {
        let field = if wanted.is_some() { "contexts" } else { "current-context" };
        let mend = words::hint(name, contexts(), "`kubectl config get-contexts` lists them");
        return wrong(format!("{field}: there is no context `{name}`"), mend);
    };
    let cluster = config.clusters.iter().find(|cluster| cluster.name == context.cluster);
    let Some(cluster) = cluster.and_then(|cluster| cluster.cluster.as_ref()) else {
        let known = config.clusters.iter().map(|cluster| cluster.name.as_str());
        let mend = words::hint(&context.cluster, known, "add the cluster, or fetch the kubeconfig anew");
        return wrong(format!("contexts, `{name}`, cluster: there is no cluster `{}`", context.cluster), mend);
    };
    let example = "a server is written like https://api.example.com:6443".to_owned();
    let Some(server) = cluster.server.as_deref().filter(|server| !server.is_empty()) else {
        return wrong(format!("clusters, `{}`, server is not set", context.cluster), example);
    };
    if !(server.starts_with("https://") || server.starts_with("http://")) {
        return wrong(format!("clusters, `{}`, server: `{server}` is no URL", context.cluster), example);
    }
    let user = context.user.as_deref().filter(|user| !user.is_empty());
    if let Some(user) = user
        && !config.auth_infos.iter().any(|known| known.name == user && known.auth_info.is_some())
    {
        let known = config.auth_infos.iter().map(|known| known.name.as_str());
        let mend = words::hint(user, known, "add the user, or fetch the kubeconfig anew");
        return wrong(format!("contexts, `{name}`, user: there is no user `{user}`"), mend);
    }
    Ok(Chosen { context: name.to_owned(), server: server.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "{apiVersion: v1, kind: Config, current-context: mgmt, contexts: [{name: mgmt, context: {cluster: \
        c, user: u}}], clusters: [{name: c, cluster: {server: 'https://a:6443'}}], users: [{name: u, user: {token: \
        canary}}]}";

    fn asked(text: &str, context: Option<&str>) -> Result<Chosen, Wrong> {
        parsed(text).and_then(|config| chosen(&config, context))
    }

    #[test]
    fn what_hangs_together_is_chosen() {
        let expected = Chosen { context: "mgmt".to_owned(), server: "https://a:6443".to_owned() };
        assert_eq!(asked(GOOD, None), Ok(expected.clone()));
        assert_eq!(asked(GOOD, Some("mgmt")), Ok(expected));
    }

    #[test]
    fn what_does_not_is_named_by_its_field() {
        let cases = [
            ("", "", None, "contexts: there are none", "clusters, users and contexts"),
            ("current-context: mgmt, ", "", None, "current-context is not set", "name a context: mgmt"),
            ("", "", Some("mgnt"), "contexts: there is no context `mgnt`", "did you mean mgmt?"),
            ("current-context: mgmt", "current-context: x", None, "current-context: there is no context `x`", "mgmt"),
            ("cluster: c,", "cluster: d,", None, "contexts, `mgmt`, cluster: there is no cluster `d`", "c"),
            ("server: 'https://a:6443'", "", None, "clusters, `c`, server is not set", "https://api.example.com"),
            ("https://a:6443", "a:6443", None, "clusters, `c`, server: `a:6443` is no URL", "https://"),
            ("user: u", "user: v", None, "contexts, `mgmt`, user: there is no user `v`", "u"),
            ("contexts: [", "contexts: canary, x: [", None, "this is no kubeconfig", "anew"),
        ];
        for (from, to, context, what, mend) in cases {
            let text =
                if what.starts_with("contexts: there are none") { "{}".to_owned() } else { GOOD.replace(from, to) };
            let wrong = asked(&text, context).unwrap_err();
            assert!(wrong.what.starts_with(what) && wrong.mend.contains(mend), "{wrong:?}");
            assert!(!format!("{wrong:?}").contains("canary"), "{wrong:?}");
        }
    }
}
