//! Which namespaces may use which projects (R16): for keys that reach every project.

use model::ProjectId;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// Stands for every namespace.
const EVERY: &str = "*";
/// Thousands of namespaces have some hundred KB.
const BYTES_MAX: usize = 4 << 20;

/// `namespaces: {tenant-a: [<project id>], "*": [<project id>]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectMap {
    namespaces: BTreeMap<String, BTreeSet<ProjectId>>,
}

/// Why there is no map: file, line and field, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the project map {file}: {text}. A map looks like `namespaces: {{tenant-a: [{example}]}}`", file = file.display(),
    example = ProjectId::EXAMPLE)]
pub struct MapError {
    pub file: PathBuf,
    pub text: String,
}

impl ProjectMap {
    /// `file` names it in errors.
    pub fn parse(text: &str, file: &Path) -> Result<Self, MapError> {
        let wrong = |text: String| MapError { file: file.to_owned(), text };
        if text.len() > BYTES_MAX {
            return Err(wrong(format!("it has {} bytes, at most {BYTES_MAX} are read", text.len())));
        }
        let map: Self = serde_saphyr::from_str(text).map_err(|error| wrong(error.to_string()))?;
        match map.namespaces.keys().find(|name| !is_namespace(name)) {
            Some(name) => {
                let rule = "lower-case letters, digits and `-`, at most 63 characters, or \"*\" for every namespace";
                let line = line_of(text, name).map_or(String::new(), |line| format!("line {line}: "));
                Err(wrong(format!("{line}namespaces: `{name}` is no namespace: {rule}")))
            }
            None => Ok(map),
        }
    }

    /// All that objects of a namespace may use.
    pub fn projects(&self, namespace: &str) -> impl Iterator<Item = &ProjectId> {
        let named = [self.namespaces.get(namespace), self.namespaces.get(EVERY)];
        let all: std::collections::BTreeSet<&ProjectId> = named.into_iter().flatten().flatten().collect();
        all.into_iter()
    }

    pub fn allows(&self, namespace: &str, project: &ProjectId) -> bool {
        [namespace, EVERY].iter().any(|name| self.namespaces.get(*name).is_some_and(|ids| ids.contains(project)))
    }
}

fn is_namespace(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    let is_label = (1..=63).contains(&name.len())
        && name.bytes().all(|b| plain(b) || b == b'-')
        && ends.into_iter().flatten().all(plain);
    name == EVERY || is_label
}

/// The first line that has the key.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let has = |line: &str| line.split(|c: char| "{},:'\" ".contains(c)).any(|word| word == key);
    text.lines().position(has).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00000000-0000-0000-0000-000000000001";
    const TWO: &str = "00000000-0000-0000-0000-000000000002";

    fn parse(text: &str) -> Result<ProjectMap, MapError> {
        ProjectMap::parse(text, Path::new("/etc/map.yaml"))
    }

    #[test]
    fn r16_a_namespace_has_its_own_projects_and_everybody_s() {
        let map = parse(&format!("namespaces:\n  tenant-a: [{ONE}]\n  \"*\": [{TWO}]\n")).unwrap();
        let allows = |namespace, project| map.allows(namespace, &ProjectId::parse(project).unwrap());
        assert!(allows("tenant-a", ONE) && allows("tenant-a", TWO) && allows("tenant-b", TWO));
        assert!(!allows("tenant-b", ONE));
        let empty = parse("namespaces: {}").unwrap();
        assert!(!empty.allows("tenant-a", &ProjectId::parse(ONE).unwrap()));
        assert!(!map.allows("*", &ProjectId::parse(ONE).unwrap()), "no namespace is called so");
    }

    #[test]
    fn mistakes_name_file_line_field_and_the_mend() {
        let wrong_id = "namespaces:\n  tenant-a: [project-a]\n";
        let twice = format!("namespaces:\n  a: [{ONE}]\n  a: [{TWO}]\n");
        for (text, words) in [
            ("", &["namespaces"] as &[&str]),
            ("namespace: {}", &["line 1", "namespace"]),
            (wrong_id, &["line 2", "`project-a` is no project id: a UUID in lower case"]),
            ("namespaces:\n  Tenant: []\n", &["line 2", "`Tenant` is no namespace: lower-case letters"]),
            (&twice, &["line 3"]),
        ] {
            let error = parse(text).unwrap_err().to_string();
            for word in ["/etc/map.yaml", "A map looks like `namespaces: {tenant-a: [0000"].iter().chain(words) {
                assert!(error.contains(word), "{text}: {word}: {error}");
            }
        }
    }
}
