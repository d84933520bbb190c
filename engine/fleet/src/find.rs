//! Which paths of a tree are documents.

use crate::issue::Issue;
use crate::limits::{DEFINITIONS_MAX, OVERLAYS_MAX, POLICIES_MAX};
use crate::rules::{MISNAMED, NOT_A_FILE, TOO_MANY_DOCUMENTS};
use model::{Entry, EntryKind, Severity, Tree};

/// The documents of a tree, each kind in the order of paths.
#[derive(Debug, Default)]
pub(crate) struct Found<'a> {
    pub(crate) fleet: Option<&'a Entry>,
    pub(crate) policies: Vec<&'a Entry>,
    pub(crate) overlays: Vec<&'a Entry>,
    /// Files that stand for overlays and are not read: whom they are for is not known.
    pub(crate) unread_overlays: Vec<&'a str>,
    pub(crate) definitions: Vec<&'a Entry>,
    pub(crate) locks: Vec<&'a Entry>,
    pub(crate) tombstones: Vec<&'a Entry>,
    /// Files that stand for definitions and are not followed.
    pub(crate) unread_definitions: Vec<&'a str>,
    /// Files that somebody may have meant as definitions: `cluster.yml`, `Cluster.yaml`.
    pub(crate) misnamed_definitions: Vec<&'a Entry>,
    /// What may be a folder and is not followed: definitions may lie below it.
    pub(crate) unread_folders: Vec<&'a str>,
    /// Definitions beyond the limit are not read: then nothing is concluded from one that is not there.
    pub(crate) cut_short: bool,
}

pub(crate) const LOCK_NAME: &str = "cluster.lock.yaml";
const DEFINITION_NAME: &str = "cluster.yaml";

enum Role {
    Fleet,
    Policy,
    Overlay,
    Definition,
    Lock,
    Tombstone,
}

pub(crate) fn find<'a>(tree: &'a Tree, issues: &mut Vec<Issue>) -> Found<'a> {
    let mut found = Found::default();
    for entry in tree.entries().iter().filter(|e| !is_output(&e.path)) {
        let role = role(&entry.path);
        if matches!(entry.kind, EntryKind::Symlink | EntryKind::Submodule) {
            issues.extend(not_a_file(entry, role.is_some()));
            if matches!(role, Some(Role::Overlay)) || entry.path == "overlays" {
                found.unread_overlays.push(&entry.path);
            }
            match role {
                Some(Role::Definition) => found.unread_definitions.push(&entry.path),
                Some(Role::Fleet | Role::Policy | Role::Overlay | Role::Lock | Role::Tombstone) => {}
                None => found.unread_folders.push(&entry.path),
            }
            continue;
        }
        match role {
            Some(Role::Fleet) => found.fleet = Some(entry),
            Some(Role::Policy) => found.policies.push(entry),
            Some(Role::Overlay) => found.overlays.push(entry),
            Some(Role::Definition) => found.definitions.push(entry),
            Some(Role::Lock) => found.locks.push(entry),
            Some(Role::Tombstone) => found.tombstones.push(entry),
            None => {
                if is_misnamed_overlay(&entry.path) {
                    found.unread_overlays.push(&entry.path);
                }
                if is_misnamed_definition(&entry.path) {
                    found.misnamed_definitions.push(entry);
                }
                issues.extend(misnamed(&entry.path));
            }
        }
    }
    found.cut_short = cut(&mut found.definitions, DEFINITIONS_MAX, "definitions", issues);
    cut(&mut found.policies, POLICIES_MAX, "policies", issues);
    let unread = found.overlays.iter().skip(OVERLAYS_MAX).map(|entry| entry.path.as_str());
    found.unread_overlays.extend(unread);
    cut(&mut found.overlays, OVERLAYS_MAX, "overlays", issues);
    found
}

fn is_output(path: &str) -> bool {
    path.starts_with("rendered/") || path.starts_with("gitops/")
}

fn role(path: &str) -> Option<Role> {
    let name = file_name(path);
    if path == "fleet.yaml" {
        Some(Role::Fleet)
    } else if is_in(path, "tombstones", ".yaml") {
        Some(Role::Tombstone)
    } else if name != LOCK_NAME && is_in(path, "overlays", ".yaml") {
        // Whatever it is called: an overlay may have the name of a definition.
        Some(Role::Overlay)
    } else if name == DEFINITION_NAME {
        Some(Role::Definition)
    } else if name == LOCK_NAME {
        Some(Role::Lock)
    } else if is_in(path, "policies", ".yaml") {
        Some(Role::Policy)
    } else {
        None
    }
}

/// Whether a file lies in a folder of the root, and not deeper.
fn is_in(path: &str, folder: &str, suffix: &str) -> bool {
    let name = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| !name.contains('/') && name.ends_with(suffix))
}

fn is_misnamed_overlay(path: &str) -> bool {
    is_in(path, "overlays", ".yml")
}

fn is_misnamed_definition(path: &str) -> bool {
    matches!(file_name(path).to_ascii_lowercase().as_str(), "cluster.yml" | "cluster.yaml")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path, empty at the root.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Where the lock of this definition belongs.
pub(crate) fn lock_path(definition: &str) -> String {
    match folder(definition) {
        "" => LOCK_NAME.to_owned(),
        folder => format!("{folder}/{LOCK_NAME}"),
    }
}

/// The stage of `stages/<stage>/…`.
pub(crate) fn stage_of_folder(path: &str) -> Option<&str> {
    path.strip_prefix("stages/")?.split_once('/').map(|(stage, _)| stage)
}

fn not_a_file(entry: &Entry, is_document: bool) -> Option<Issue> {
    let path = entry.path.as_str();
    let may_hold_documents = |p: &str| p == "stages" || p == "policies" || p == "overlays" || p.starts_with("stages/");
    let what = match entry.kind {
        EntryKind::Symlink => "a symlink",
        EntryKind::Submodule => "a submodule",
        EntryKind::File | EntryKind::Executable => return None,
    };
    if is_document {
        let mut issue =
            Issue::error(NOT_A_FILE, path, "", format!("{what} in the place of a document is not followed"));
        issue.mend = "put the file itself here".to_owned();
        return Some(issue);
    }
    let folder_like = entry.kind == EntryKind::Submodule || !file_name(path).contains('.');
    (folder_like && may_hold_documents(path)).then(|| {
        let mut issue =
            Issue::error(NOT_A_FILE, path, "", format!("{what} is not followed: what lies in it is not read"));
        issue.severity = Severity::Warning;
        issue
    })
}

/// Files that somebody meant as documents and that nobody reads.
fn misnamed(path: &str) -> Option<Issue> {
    let lower = file_name(path).to_ascii_lowercase();
    let right = match lower.as_str() {
        _ if is_misnamed_definition(path) => "cluster.yaml",
        "fleet.yml" | "fleet.yaml" if !path.contains('/') => "fleet.yaml",
        _ if is_misnamed_overlay(path) => "<overlay>.yaml",
        name if path.starts_with("policies/") && name.ends_with(".yml") => "<policy>.yaml",
        _ => return None,
    };
    let mut issue = Issue::error(MISNAMED, path, "", format!("this file is not read; the name is `{right}`"));
    // Without it clusters would be rendered as if nobody had written it.
    if !is_misnamed_overlay(path) {
        issue.severity = Severity::Warning;
    }
    issue.mend = "rename it".to_owned();
    Some(issue)
}

/// Whether something was cut off.
fn cut(documents: &mut Vec<&Entry>, max: usize, what: &str, issues: &mut Vec<Issue>) -> bool {
    let Some(first) = documents.get(max) else { return false };
    let message = format!("{} {what}, but at most {max} are read; this one and later ones are not", documents.len());
    issues.push(Issue::error(TOO_MANY_DOCUMENTS, &first.path, "", message));
    documents.truncate(max);
    true
}
