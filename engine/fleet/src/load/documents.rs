//! The documents of a tree as they were read, each with its path.

use crate::find::{Found, find, folder};
use crate::issue::Issue;
use crate::memo::Memo;
use crate::overlays::{BrokenOverlay, Layer, Overlays, written};
use crate::read::{Broken, Parsed, Problem};
use crate::resolve::Offer;
use crate::rules::{DUPLICATE_NAME, OVERLAY_STOPS, TOMBSTONE};
use model::ids::Label;
use model::lock::ClusterTombstone;
use model::{
    ClusterDefinition, ClusterId, ClusterLock, ClusterName, Entry, Finding, Fleet, Namespace, Overlay, Place, Severity,
    Tree,
};
use std::{collections::BTreeMap, sync::Arc};

#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) fleet: Option<Arc<Fleet>>,
    pub(super) fleet_is_broken: bool,
    pub(super) policies: BTreeMap<Label, Offer>,
    /// Name (the file's where it could not be read) and path.
    pub(super) broken_policies: BTreeMap<String, String>,
    pub(super) overlays: Overlays,
    pub(super) definitions: Vec<(String, Arc<ClusterDefinition>)>,
    /// Files that may be definitions and could not be read as such.
    pub(super) claims: Vec<Claim>,
    /// What may hold definitions and is not followed.
    pub(super) unread_folders: Vec<String>,
    pub(super) locks: Vec<(String, Arc<ClusterLock>)>,
    /// Whose lock is there and cannot be read.
    pub(super) broken_locks: Vec<ClusterId>,
    pub(super) tombstones: Tombstones,
    /// Whose tombstone is there and cannot be used: nothing of it is freed, and nothing is made beside it.
    pub(super) broken_tombstones: Vec<ClusterId>,
    /// Not all definitions were read.
    pub(super) cut_short: bool,
    /// What is wrong with files as such; it has its place already.
    pub(super) findings: Vec<Finding>,
}

/// By the cluster, with the path.
pub(crate) type Tombstones = BTreeMap<ClusterId, (String, Arc<ClusterTombstone>)>;

/// A file that may be the definition of a cluster.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) path: String,
    pub(super) whose: Whose,
}

#[derive(Debug)]
pub(super) enum Whose {
    /// Of a cluster of this name; the namespace is not certain.
    Named(ClusterName),
    /// Nobody can tell.
    Anyones,
    /// Of the one that is defined where it lies, or of none.
    OfItsFolder,
}

impl Documents {
    pub(super) fn read(tree: &Tree, memo: &mut Memo, issues: &mut Vec<Issue>) -> Self {
        let found = find(tree, issues);
        let mut documents = Self { cut_short: found.cut_short, ..Self::default() };
        documents.read_fleet(tree, memo, &found);
        documents.read_policies(tree, memo, &found, issues);
        documents.read_overlays(tree, memo, &found, issues);
        documents.read_definitions(tree, memo, &found);
        documents.read_misnamed(tree, memo, &found);
        documents.read_locks(tree, memo, &found);
        documents.read_tombstones(tree, memo, &found, issues);
        documents.unread_folders = found.unread_folders.iter().map(|path| (*path).to_owned()).collect();
        documents
    }

    fn read_fleet(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>) {
        let Some(entry) = found.fleet else { return };
        match memo.fleet(tree, &entry.id) {
            Parsed::Good(fleet) => self.fleet = Some(fleet),
            Parsed::Broken(broken) => {
                self.fleet_is_broken = true;
                self.tell(&entry.path, &broken, None);
            }
        }
    }

    fn read_policies(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>, issues: &mut Vec<Issue>) {
        for entry in &found.policies {
            let path = entry.path.clone();
            match memo.policy(tree, &entry.id) {
                Parsed::Good(policy) => self.add_policy(Offer { path, policy }, issues),
                Parsed::Broken(broken) => {
                    self.tell(&path, &broken, None);
                    let stem = || path.trim_start_matches("policies/").trim_end_matches(".yaml").to_owned();
                    self.broken_policies.insert(broken.name.clone().unwrap_or_else(stem), path);
                }
            }
        }
    }

    fn add_policy(&mut self, offer: Offer, issues: &mut Vec<Issue>) {
        let name = offer.policy.metadata.name.clone();
        let Some(first) = self.policies.get(&name) else {
            self.policies.insert(name, offer);
            return;
        };
        for (path, other) in [(&offer.path, &first.path), (&first.path, &offer.path)] {
            let message = format!("policy `{name}` is also in {other}");
            let mut issue = Issue::error(DUPLICATE_NAME, path, "metadata.name", message);
            issue.mend = "rename or remove one of the two".to_owned();
            issues.push(issue);
        }
    }

    fn read_overlays(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>, issues: &mut Vec<Issue>) {
        for path in &found.unread_overlays {
            self.overlays.broken.push(BrokenOverlay { path: (*path).to_owned(), selector: None });
        }
        for entry in &found.overlays {
            let path = entry.path.clone();
            match memo.overlay(tree, &entry.id) {
                Parsed::Good(overlay) => self.add_overlay(tree, entry, overlay, issues),
                Parsed::Broken(broken) => {
                    self.tell(&path, &broken, None);
                    if !broken.disabled {
                        self.overlays.broken.push(BrokenOverlay { path, selector: broken.selector.clone() });
                    }
                }
            }
        }
        for BrokenOverlay { path, selector } in &self.overlays.broken {
            let message = match selector {
                Some(_) => "every cluster that this overlay selects is stopped until it can be read",
                None => "nobody can tell whom this overlay is for: every cluster is stopped until it can be read",
            };
            let mut issue = Issue::error(OVERLAY_STOPS, path, "", message);
            issue.mend = "mend or remove it; `spec.disabled: true` takes a readable one out of use".to_owned();
            issues.push(issue);
        }
    }

    fn add_overlay(&mut self, tree: &Tree, entry: &Entry, overlay: Arc<Overlay>, issues: &mut Vec<Issue>) {
        let path = &entry.path;
        let name = &overlay.metadata.name;
        for other in self.overlays.layers.iter().filter(|other| other.overlay.metadata.name == *name) {
            for (path, other) in [(path, &other.path), (&other.path, path)] {
                let mut issue =
                    Issue::error(DUPLICATE_NAME, path, "metadata.name", format!("overlay `{name}` is also in {other}"));
                issue.mend = "rename or remove one of the two".to_owned();
                issues.push(issue);
            }
        }
        if overlay.spec.disabled {
            return;
        }
        let gives = (overlay.spec.definition != <_>::default()).then(|| {
            let typed = serde_json::json!(overlay.spec.definition);
            written(tree, &entry.id, typed, &["spec", "definition"])
        });
        self.overlays.add(Layer { path: path.clone(), blob: entry.id, overlay, gives });
    }

    fn read_definitions(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>) {
        for entry in &found.definitions {
            let path = entry.path.clone();
            match memo.definition(tree, &entry.id) {
                Parsed::Good(definition) => self.definitions.push((path, definition)),
                Parsed::Broken(broken) => {
                    let cluster = self.guess(&path, &broken);
                    self.tell(&path, &broken, cluster.as_ref());
                    let whose = named(&broken).map_or(Whose::Anyones, Whose::Named);
                    self.claims.push(Claim { path, whose });
                }
            }
        }
        let unread = found.unread_definitions.iter();
        self.claims.extend(unread.map(|path| Claim { path: (*path).to_owned(), whose: Whose::Anyones }));
    }

    /// Not taken as definitions, and said to be misnamed; but what they define is not gone.
    fn read_misnamed(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>) {
        for entry in &found.misnamed_definitions {
            let name = match memo.definition(tree, &entry.id) {
                Parsed::Good(definition) => Some(definition.metadata.name.clone()),
                Parsed::Broken(broken) => named(&broken),
            };
            let whose = name.map_or(Whose::OfItsFolder, Whose::Named);
            self.claims.push(Claim { path: entry.path.clone(), whose });
        }
    }

    fn read_locks(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>) {
        for entry in &found.locks {
            let path = entry.path.clone();
            match memo.lock(tree, &entry.id) {
                Parsed::Good(lock) => self.locks.push((path, lock)),
                Parsed::Broken(broken) => {
                    let cluster = identity(&broken).or_else(|| self.defined_beside(&path));
                    self.tell(&path, &broken, cluster.as_ref());
                    self.broken_locks.extend(cluster);
                }
            }
        }
    }

    fn read_tombstones(&mut self, tree: &Tree, memo: &mut Memo, found: &Found<'_>, issues: &mut Vec<Issue>) {
        for entry in &found.tombstones {
            let path = &entry.path;
            let of_path = of_tombstone(path);
            let tombstone = match memo.tombstone(tree, &entry.id) {
                Parsed::Good(tombstone) => tombstone,
                Parsed::Broken(broken) => {
                    self.tell(path, &broken, of_path.as_ref());
                    self.broken_tombstones.extend(of_path.or_else(|| identity(&broken)));
                    continue;
                }
            };
            match (tombstone.identity.cluster(), of_path) {
                (Some(id), Some(of_path)) if id == of_path => {
                    self.tombstones.insert(id, (path.clone(), tombstone));
                }
                (id, of_path) => {
                    let whose = id.as_ref().map_or_else(|| "a cluster without an id".to_owned(), ToString::to_string);
                    let message = format!("the tombstone of {whose} lies in {path}: nothing of it is freed");
                    let mut issue = Issue::error(TOMBSTONE, path, "identity.name", message);
                    issue.mend = match &id {
                        Some(id) => format!("it is the engine's: move it back to tombstones/{id}.yaml"),
                        None => "it is the engine's: take it back from the last engine commit".to_owned(),
                    };
                    issues.push(issue);
                    self.broken_tombstones.extend(id.into_iter().chain(of_path));
                }
            }
        }
    }

    fn defined_beside(&self, lock: &str) -> Option<ClusterId> {
        let (path, definition) = self.definitions.iter().find(|(path, _)| folder(path) == folder(lock))?;
        let written = definition.spec.target.namespace.as_ref();
        let stage = definition.spec.stage.as_ref().map(|s| s.as_str());
        self.id(path, written, stage, definition.metadata.name.clone())
    }

    /// The id that a broken definition would have, as far as it can be told.
    fn guess(&self, path: &str, broken: &Broken) -> Option<ClusterId> {
        let name = ClusterName::parse(broken.name.as_deref()?).ok()?;
        let namespace = match &broken.namespace {
            Some(namespace) => Some(Namespace::parse(namespace).ok()?),
            None => None,
        };
        self.id(path, namespace.as_ref(), broken.stage.as_deref(), name)
    }

    fn id(&self, path: &str, written: Option<&Namespace>, stage: Option<&str>, name: ClusterName) -> Option<ClusterId> {
        let stage = || self.fleet.as_ref()?.stage(stage.or_else(|| crate::find::stage_of_folder(path))?);
        let namespace = written.cloned().or_else(|| stage()?.namespace.clone());
        ClusterId::new(namespace.or_else(|| Namespace::parse("default").ok())?, name).ok()
    }

    fn tell(&mut self, path: &str, broken: &Broken, cluster: Option<&ClusterId>) {
        self.findings.extend(broken.problems.iter().map(|problem| finding(path, problem, cluster)));
    }
}

/// `tombstones/<namespace>.<name>.yaml`.
fn of_tombstone(path: &str) -> Option<ClusterId> {
    path.strip_prefix("tombstones/")?.strip_suffix(".yaml")?.parse().ok()
}

fn named(broken: &Broken) -> Option<ClusterName> {
    ClusterName::parse(broken.name.as_deref()?).ok()
}

/// As a lock says it.
fn identity(broken: &Broken) -> Option<ClusterId> {
    let namespace = Namespace::parse(broken.namespace.as_deref()?).ok()?;
    ClusterId::new(namespace, ClusterName::parse(broken.name.as_deref()?).ok()?).ok()
}

fn finding(path: &str, problem: &Problem, cluster: Option<&ClusterId>) -> Finding {
    let Problem { rule, mark, text, field, message, mend } = problem;
    Finding {
        severity: Severity::Error,
        place: Place {
            file: path.to_owned(),
            line: mark.line,
            column: mark.column,
            width: mark.width,
            text: text.clone(),
        },
        field: field.clone(),
        rule: rule.id,
        message: message.clone(),
        mend: mend.clone(),
        cluster: cluster.cloned(),
        reason: None,
    }
}
