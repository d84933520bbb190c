//! What a schema says of one field, as `kubectl explain` does: the words of the published schemas and nothing else.

mod text;

use serde::Serialize;
use serde_json::{Map, Value};

/// Deeper than any document; a schema that names itself ends here.
const DEPTH_MAX: usize = 24;
/// A single line break in a description is none.
const PARAGRAPH: &str = "\n\n";

/// The schema of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    kind: String,
    schema: Value,
}

/// A field and those below it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Field {
    /// Its name; of what was asked for, the whole path.
    #[serde(rename = "field")]
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) required: bool,
    /// The field's own words, then those of its type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) description: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed: Vec<Allowed>,
    /// In words, as `at most 63 characters`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) limits: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) examples: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<Field>,
}

/// A value that may stand there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Allowed {
    pub(crate) value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
}

/// What was asked for, with its kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Explained {
    pub(crate) kind: String,
    /// What a change of it does to a cluster that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<String>,
    #[serde(flatten)]
    pub(crate) field: Field,
}

/// A part of a path that is not there, and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The path up to the part that is known.
    pub(crate) above: String,
    pub(crate) part: String,
    pub(crate) known: Vec<String>,
}

impl Document {
    /// All kinds that have a schema.
    pub(crate) fn all() -> Vec<Self> {
        let named = |schema: Value| {
            let kind = schema["title"].as_str()?.to_owned();
            Some(Self { kind, schema })
        };
        fleet::schemas().into_iter().filter_map(|(_, schema)| named(schema)).collect()
    }

    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Its short names, the best first: `cluster` for a definition, else its last word.
    pub(crate) fn short_names(&self) -> Vec<String> {
        let kind = self.kind.to_lowercase();
        let last = kind.strip_prefix("cluster").unwrap_or(&kind).to_owned();
        if last == "definition" { vec!["cluster".to_owned(), last] } else { vec![last] }
    }

    /// Whether people mean this kind: its name in any case, or a short one.
    pub(crate) fn is_named(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.kind.to_lowercase() == word || self.short_names().contains(&word)
    }

    /// One line about the kind.
    pub(crate) fn about(&self) -> &str {
        self.schema["description"].as_str().unwrap_or_default()
    }

    /// The field at a path (`spec.pools.size`; items of lists need no index), with everything below it where `deep`.
    pub(crate) fn explain(&self, path: &[&str], deep: bool) -> Result<Explained, Unknown> {
        let mut node = self.resolved(&self.schema);
        let mut required = false;
        let mut walked: Vec<&str> = Vec::new();
        for part in path.iter().map(|part| part.split('[').next().unwrap_or(part)).filter(|part| !part.is_empty()) {
            let around = self.content(&node);
            let found = around.get("properties").and_then(|p| p.get(part));
            let Some(schema) = found.or_else(|| values(&around)) else {
                let known = names(&around);
                return Err(Unknown { above: walked.join("."), part: part.to_owned(), known });
            };
            required = found.is_some() && is_required(&around, part);
            node = self.resolved(schema);
            walked.push(part);
        }
        let levels = if deep { DEPTH_MAX } else { 1 };
        let path = walked.join(".");
        let change = fleet::mutability(&path).filter(|_| self.kind == "ClusterDefinition");
        let change = change.map(|change| format!("{}: {}", change.mutability, change.says));
        Ok(Explained { kind: self.kind.clone(), change, field: self.field(&path, &node, required, levels) })
    }

    fn field(&self, name: &str, node: &Map<String, Value>, required: bool, levels: usize) -> Field {
        let content = self.content(node);
        let fields = match (content.get("properties"), levels.checked_sub(1)) {
            (Some(Value::Object(properties)), Some(left)) => {
                let below = |(name, schema): (&String, &Value)| {
                    self.field(name, &self.resolved(schema), is_required(&content, name), left)
                };
                properties.iter().map(below).collect()
            }
            _ => Vec::new(),
        };
        Field {
            name: name.to_owned(),
            type_name: self.type_name(node),
            required,
            description: descriptions(node, &content),
            default: node.get("default").filter(|v| is_told(v)).cloned(),
            allowed: allowed(&content),
            limits: limits(node, &content),
            pattern: content.get("pattern").and_then(Value::as_str).map(str::to_owned),
            examples: content.get("examples").and_then(Value::as_array).cloned().unwrap_or_default(),
            fields,
        }
    }

    /// The schema with its references followed and without the branch that means "may be absent".
    fn resolved(&self, schema: &Value) -> Map<String, Value> {
        let mut node = schema.as_object().cloned().unwrap_or_default();
        for _ in 0..DEPTH_MAX {
            let below = match (node.remove("$ref"), node.get("anyOf")) {
                (Some(Value::String(name)), _) => self.definition(&name).cloned(),
                (_, Some(Value::Array(branches))) => {
                    let real: Vec<_> = branches.iter().filter(|b| b["type"] != "null").cloned().collect();
                    let [only] = &real[..] else { break };
                    let only = only.clone();
                    node.remove("anyOf");
                    Some(only)
                }
                _ => None,
            };
            let Some(Value::Object(below)) = below else { break };
            for (key, value) in below {
                match (node.get_mut(&key), value) {
                    (Some(Value::String(own)), Value::String(of_type)) if key == "description" => {
                        *own = format!("{own}{PARAGRAPH}{of_type}");
                    }
                    (Some(_), _) => {}
                    (None, value) => drop(node.insert(key, value)),
                }
            }
        }
        node
    }

    fn definition(&self, reference: &str) -> Option<&Value> {
        self.schema["$defs"].get(reference.strip_prefix("#/$defs/")?)
    }

    /// What stands in it: of a list its items, of anything else itself.
    fn content(&self, node: &Map<String, Value>) -> Map<String, Value> {
        let mut content = node.clone();
        for _ in 0..DEPTH_MAX {
            let Some(items) = content.get("items") else { break };
            content = self.resolved(items);
        }
        content
    }

    fn type_name(&self, node: &Map<String, Value>) -> String {
        if let Some(items) = node.get("items") {
            return format!("[]{}", self.type_name(&self.resolved(items)));
        }
        let named = match node.get("type") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
            _ => match allowed(node).first() {
                Some(first) if first.value.is_string() => vec!["string"],
                Some(_) | None => vec!["any"],
            },
        };
        match (&named[..], values(node)) {
            (["object"], Some(of)) => format!("map[string]{}", self.type_name(&self.resolved(of))),
            _ => named.join(" or "),
        }
    }
}

/// The schema of the values of a map.
fn values(node: &Map<String, Value>) -> Option<&Value> {
    node.get("additionalProperties").filter(|of| of.is_object() && !node.contains_key("properties"))
}

fn names(node: &Map<String, Value>) -> Vec<String> {
    node.get("properties").and_then(Value::as_object).map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

fn is_required(node: &Map<String, Value>, name: &str) -> bool {
    node.get("required").and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == name))
}

/// A default that says more than that there is one.
fn is_told(default: &Value) -> bool {
    match default {
        Value::Null | Value::Object(_) => false,
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn descriptions(node: &Map<String, Value>, content: &Map<String, Value>) -> Vec<String> {
    let of = |node: &Map<String, Value>| node.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (own, of_items) = (of(node), of(content));
    let mut all: Vec<String> = Vec::new();
    for text in own.split(PARAGRAPH).chain(of_items.split(PARAGRAPH)) {
        let text = text.replace('\n', " ");
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

fn allowed(node: &Map<String, Value>) -> Vec<Allowed> {
    if let Some(Value::Array(values)) = node.get("enum") {
        return values.iter().map(|value| Allowed { value: value.clone(), description: None }).collect();
    }
    if let Some(value) = node.get("const") {
        return vec![Allowed { value: value.clone(), description: None }];
    }
    let branches = node.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_branch = |branch: &Value| {
        let Value::Object(branch) = branch else { return Vec::new() };
        let description = branch.get("description").and_then(Value::as_str).map(str::to_owned);
        let described = |one: Allowed| Allowed { description: one.description.or_else(|| description.clone()), ..one };
        allowed(branch).into_iter().map(described).collect::<Vec<_>>()
    };
    branches.iter().flat_map(of_branch).collect()
}

fn limits(node: &Map<String, Value>, content: &Map<String, Value>) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |of: &Map<String, Value>, key: &str, before: &str, after: &str| {
        // One character is what a name needs to be one, and no number here is below zero.
        let plain = if key == "minLength" { 1 } else { 0 };
        let is_told = |value: &&Value| !key.starts_with("min") || **value != plain;
        if let Some(value) = of.get(key).filter(is_told) {
            all.push(format!("{before} {value}{after}"));
        }
    };
    say(content, "minimum", "at least", "");
    say(content, "maximum", "at most", "");
    say(content, "minLength", "at least", " characters");
    say(content, "maxLength", "at most", " characters");
    say(node, "minItems", "at least", " items");
    say(node, "maxItems", "at most", " items");
    all
}

#[cfg(test)]
mod tests;
