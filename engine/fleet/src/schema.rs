//! The JSON Schemas of the six kinds: as published in `schemas/`, and as documents are explained with.

use model::lock::ClusterTombstone;
use model::{ClusterDefinition, ClusterLock, ClusterPolicy, Fleet, Overlay};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Fleet,
    Policy,
    Overlay,
    Definition,
    Lock,
    Tombstone,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Fleet, Self::Policy, Self::Overlay, Self::Definition, Self::Lock, Self::Tombstone];

    /// As `kind:` says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Policy => "ClusterPolicy",
            Self::Overlay => "Overlay",
            Self::Definition => "ClusterDefinition",
            Self::Lock => "ClusterLock",
            Self::Tombstone => "ClusterTombstone",
        }
    }
}

/// File name in `schemas/` and schema of each kind (draft 2020-12).
pub fn schemas() -> Vec<(String, Value)> {
    let file = |kind: Kind| format!("{}.json", kind.name().to_lowercase());
    Kind::ALL.iter().map(|kind| (file(*kind), published(*kind))).collect()
}

fn published(kind: Kind) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = match kind {
        Kind::Fleet => generator.into_root_schema_for::<Fleet>(),
        Kind::Overlay => generator.into_root_schema_for::<Overlay>(),
        Kind::Policy => generator.into_root_schema_for::<ClusterPolicy>(),
        Kind::Definition => generator.into_root_schema_for::<ClusterDefinition>(),
        Kind::Lock => generator.into_root_schema_for::<ClusterLock>(),
        Kind::Tombstone => generator.into_root_schema_for::<ClusterTombstone>(),
    };
    let mut value = schema.to_value();
    if let Value::Object(object) = &mut value {
        object.insert("title".to_owned(), json!(kind.name()));
    }
    value
}

/// The same schema for explaining: choices are one list, options are what they are options of, and names and addresses
/// are checked by the parsers of their types, whose words say more than a pattern does.
pub(crate) fn explaining(kind: Kind) -> Value {
    let mut schema = published(kind);
    simplify(&mut schema);
    if let Some(Value::Object(definitions)) = schema.get_mut("$defs") {
        for (name, definition) in definitions.iter_mut() {
            if name == "CountOrPercent" {
                // The number is checked by its type, the text by its parser.
                *definition = json!({"type": ["integer", "string"], "minimum": 0, "format": name});
            } else if crate::explain::PARSERS.iter().any(|(parser, _)| parser == name) {
                *definition = json!({"type": "string", "format": name});
            } else if name == "Protocol" {
                // Taken in small letters too, and published as metal-api writes it.
                *definition = json!({"type": "string", "enum": ["TCP", "UDP", "tcp", "udp"]});
            }
        }
    }
    schema
}

fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(object) => {
            object.values_mut().for_each(simplify);
            simplify_object(object);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn simplify_object(object: &mut Map<String, Value>) {
    if let Some(Value::Array(branches)) = object.get("anyOf") {
        let real: Vec<_> = branches.iter().filter(|b| b["type"] != "null").cloned().collect();
        if let [Value::Object(only)] = &real[..] {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
    let choices = match object.get("oneOf") {
        Some(Value::Array(branches)) => branches.iter().map(choices_of).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    if let Some(choices) = choices {
        object.remove("oneOf");
        object.insert("enum".to_owned(), choices.concat().into());
    }
}

/// The values of a branch that is nothing but a choice.
fn choices_of(branch: &Value) -> Option<Vec<Value>> {
    match (branch.get("const"), branch.get("enum")) {
        (Some(value), _) => Some(vec![value.clone()]),
        (None, Some(Value::Array(values))) => Some(values.clone()),
        _ => None,
    }
}
