//! The manifests of a cluster from what is in the tree, offline: what `render` writes and `diff` compares.

use crate::output::{findings, talk};
use crate::source::Fleet;
use model::{Finding, Wanted};
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// Output files are some kilobytes.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Read by kustomize, and no object of an API server.
const FOR_KUSTOMIZE: &str = "/kustomization.yaml";

/// Files by path, and whether every cluster that was asked for has its own.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) complete: bool,
}

impl Rendered {
    /// Renders these clusters and says on stderr what stands in the way.
    pub(crate) fn of(fleet: &Fleet, chosen: &[&Wanted]) -> Self {
        let told: Vec<Finding> = fleet.errors(chosen).cloned().collect();
        if !told.is_empty() {
            talk::say(findings::text(&told).trim_end());
        }
        let mut rendered = Self { files: BTreeMap::new(), complete: told.is_empty() };
        for wanted in chosen {
            match files(wanted, fleet) {
                Ok(found) => rendered.files.extend(found),
                Err(why) => {
                    talk::warning(&format!("{} is not rendered: {why}", wanted.id));
                    rendered.complete = false;
                }
            }
        }
        rendered
    }

    /// The files that hold objects for an API server.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter().filter(|(path, _)| !path.ends_with(FOR_KUSTOMIZE));
        files.map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// The objects in them.
    pub(crate) fn objects(&self) -> anyhow::Result<Vec<Value>> {
        let mut objects = Vec::new();
        for (_, bytes) in self.manifests() {
            for document in serde_yaml::Deserializer::from_slice(bytes) {
                objects.push(Value::deserialize(document)?);
            }
        }
        Ok(objects)
    }
}

fn files(wanted: &Wanted, fleet: &Fleet) -> Result<Vec<(String, Vec<u8>)>, String> {
    let tree = &fleet.tree;
    if let Some(blocked) = wanted.blocked.as_ref().filter(|b| b.reason != model::Reason::Paused) {
        return Err(format!("{}: {}", blocked.reason, blocked.message));
    }
    let lock = wanted.lock.as_deref().ok_or("it has no lock yet; the engine writes it")?;
    if !render::complete(wanted, lock) {
        return Err("its lock does not name everything yet".to_owned());
    }
    let is_elsewhere = fleet.want.fleet.as_deref().is_some_and(|fleet| {
        let output = &fleet.spec.output;
        output.repo.is_some() || output.branch.is_some()
    });
    if is_elsewhere && !lock.rendered.is_empty() && tree.below(&wanted.output_dir()).next().is_none() {
        return Err("its output has a branch of its own, and what of it must stay is not known here (R1); name the \
                    repository with --repo where a command takes it"
            .to_owned());
    }
    let committed = |path: &str| tree.entry(path).and_then(|entry| tree.read(&entry.id, FILE_BYTES_MAX).ok());
    let rendered = render::cluster(wanted, lock, &committed);
    if !rendered.outdated.is_empty() {
        let kept = rendered.outdated.join(", ");
        talk::warning(&format!("{}: kept as committed, because a change would replace machines: {kept}", wanted.id));
    }
    if !rendered.unpatched.is_empty() {
        return Err(rendered.unpatched.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    let mut files = rendered.files;
    files.push(render::namespace(&wanted.identity.management_cluster, &wanted.identity.namespace));
    Ok(files)
}
