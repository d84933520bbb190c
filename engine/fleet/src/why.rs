//! Why a cluster is as it is: every effective value, and the line of the document that says so.

mod fields;

use crate::load::{Trace, traced};
use crate::memo::Memo;
use crate::place::Placer;
use model::{ClusterId, Timestamp, Tree};
use serde::Serialize;
use serde_json::Value;

/// One effective value of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Setting {
    /// As in a ClusterDefinition, `spec.controlPlane.size`.
    pub field: String,
    pub value: Value,
    pub origin: Source,
    /// The document that says so; empty for what is built in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// 0 where it is the whole file, or its folder.
    pub line: u32,
    /// What else is to be known: what was asked for, what it became.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    Definition,
    Overlay,
    Stage,
    Policy,
    Fleet,
    /// The folder `stages/<stage>/`.
    Folder,
    /// A constant of this binary.
    BuiltIn,
    /// A value that was resolved once and stays.
    Lock,
}

/// Every effective field of a cluster that has a value, in the order of the schema. None where there is no such cluster,
/// or where it cannot be resolved: then `load` has findings that say why.
pub fn why(tree: &Tree, memo: &mut Memo, now: Timestamp, cluster: &ClusterId) -> Option<Vec<Setting>> {
    traced(tree, memo, now, cluster, |trace| {
        let mut teller = Teller { tree, trace, placers: Vec::new(), settings: Vec::new() };
        fields::tell(&mut teller);
        teller.settings
    })
}

/// Where a value comes from that no definition and no overlay gives.
enum Or {
    /// A field of the cluster's policy.
    Policy(String),
    /// A field of `fleet.yaml`.
    Fleet(String),
    /// A field of the cluster's stage in `fleet.yaml`.
    Stage(&'static str),
    Folder,
    BuiltIn,
    /// A field of the lock.
    Lock(&'static str),
}

struct Teller<'a> {
    tree: &'a Tree,
    trace: &'a Trace<'a>,
    /// One for each file that was asked for.
    placers: Vec<(String, Placer<'a>)>,
    settings: Vec<Setting>,
}

impl Teller<'_> {
    /// The line of a field that is written.
    fn line(&mut self, file: &str, field: &str) -> Option<u32> {
        let index = self.placers.iter().position(|(name, _)| name == file).unwrap_or_else(|| {
            self.placers.push((file.to_owned(), Placer::new(self.tree)));
            self.placers.len() - 1
        });
        self.placers[index].1.line(file, field)
    }

    /// Definition or overlay, where one of the two gives this field.
    fn written(&mut self, field: &str) -> Option<(Source, String, u32)> {
        let path = self.trace.cluster.path;
        if let Some(line) = self.line(path, field) {
            return Some((Source::Definition, path.to_owned(), line));
        }
        let (file, field) = self.trace.cluster.given.as_ref()?.place(field)?;
        // What holds it, where the field itself has a default in what the overlay gives.
        let line = self.line(file, &field)?;
        Some((Source::Overlay, file.to_owned(), line))
    }

    fn other(&mut self, or: Or) -> (Source, String, u32) {
        let (source, file, field) = match or {
            Or::BuiltIn => return (Source::BuiltIn, String::new(), 0),
            Or::Folder => return (Source::Folder, self.trace.cluster.path.to_owned(), 0),
            Or::Policy(field) => (Source::Policy, self.trace.offer.path.clone(), field),
            Or::Fleet(field) => (Source::Fleet, "fleet.yaml".to_owned(), field),
            Or::Stage(name) => {
                let stages = &self.trace.fleet.spec.stages;
                let index = stages.iter().position(|stage| stage.name == self.trace.home.stage.name);
                (Source::Stage, "fleet.yaml".to_owned(), format!("spec.stages[{}].{name}", index.unwrap_or_default()))
            }
            Or::Lock(field) => {
                let cluster = self.trace.cluster;
                let beside = || crate::find::lock_path(cluster.path);
                (Source::Lock, cluster.lock_found_at.clone().unwrap_or_else(beside), field.to_owned())
            }
        };
        let line = self.line(&file, &field).unwrap_or_default();
        (source, file, line)
    }

    fn say(&mut self, field: &str, value: impl Serialize, or: Or) {
        self.noted(field, value, or, String::new());
    }

    fn noted(&mut self, field: &str, value: impl Serialize, or: Or, note: String) {
        let (origin, file, line) = self.written(field).unwrap_or_else(|| self.other(or));
        let value = serde_json::json!(value);
        self.settings.push(Setting { field: field.to_owned(), value, origin, file, line, note });
    }

    /// A value that nothing but definition or overlay gives.
    fn given(&mut self, field: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.say(field, value, Or::BuiltIn);
        }
    }

    /// An object that several documents may have a part in: one entry, or one for each part.
    fn object(&mut self, field: &str, object: Option<&serde_json::Map<String, Value>>) {
        let Some(object) = object else { return };
        let mut leaves = Vec::new();
        leaves_of(object, field, &mut leaves);
        let files: Vec<_> = leaves.iter().map(|(field, _)| self.written(field).map(|(_, file, _)| file)).collect();
        if files.windows(2).all(|pair| pair[0] == pair[1]) {
            return self.say(field, object, Or::BuiltIn);
        }
        for (field, value) in leaves {
            self.say(&field, value, Or::BuiltIn);
        }
    }
}

fn leaves_of<'v>(object: &'v serde_json::Map<String, Value>, at: &str, leaves: &mut Vec<(String, &'v Value)>) {
    for (key, value) in object {
        let field = format!("{at}.{key}");
        match value {
            Value::Object(inner) if !inner.is_empty() => leaves_of(inner, &field, leaves),
            leaf => leaves.push((field, leaf)),
        }
    }
}
