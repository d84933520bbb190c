//! A JSON Schema as sections of fields in reading order. Knows the shapes that schemars writes, and nothing of Markdown.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One kind of document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) title: String,
    /// The document first, then every object in it, each before what is nested in it.
    pub(crate) sections: Vec<Section>,
    /// Names of texts, numbers and choices that fields refer to.
    pub(crate) types: BTreeMap<String, Type>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// From the root of the document, as `spec.pools[]`; empty for the document.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    /// As YAML in one line; none where it is empty.
    pub(crate) default: Option<String>,
    pub(crate) text: String,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An object with fields of its own, in the section of this path.
    Object(String),
    /// A type of the page.
    Named(String, Vec<String>),
    /// One of these values, which need no words.
    Choice(Vec<String>),
    /// In words: `integer, 1 to 9`.
    Plain(String),
    List(Box<Kind>),
    /// From text to this.
    Map(Box<Kind>),
    /// An object that is passed on as it is.
    FreeForm,
    Any,
}

/// A text, number or choice with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) text: String,
    /// What it is without its name.
    pub(crate) words: String,
    pub(crate) pattern: Option<String>,
    pub(crate) examples: Vec<String>,
    /// Values and what they mean.
    pub(crate) choices: Vec<(String, String)>,
}

/// The page of a root schema.
pub(crate) fn page(root: &Value) -> Page {
    let definitions = root["$defs"].as_object().cloned().unwrap_or_default();
    let mut reader =
        Reader { definitions: &definitions, sections: Vec::new(), types: BTreeMap::new(), inside: Vec::new() };
    reader.section("", root);
    Page { title: text_of(root, "title"), sections: reader.sections, types: reader.types }
}

/// Where an object of a section is described.
struct Nested<'a> {
    path: String,
    name: Option<&'a str>,
    schema: &'a Value,
}

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
    sections: Vec<Section>,
    types: BTreeMap<String, Type>,
    /// Names of the types around the one that is read, with their sections.
    inside: Vec<(&'a str, String)>,
}

impl<'a> Reader<'a> {
    fn section(&mut self, path: &str, schema: &'a Value) {
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut nested = Vec::new();
        let mut fields = Vec::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let kind = self.kind(&at, field, &mut nested);
            let of_type = self.resolved(field).map(|(_, schema)| text_of(schema, "description")).unwrap_or_default();
            let own = text_of(field, "description");
            fields.push(Field {
                name: name.clone(),
                kind,
                is_required: required.contains(&name.as_str()),
                default: field.get("default").and_then(default),
                text: if own.is_empty() { of_type } else { own },
            });
        }
        self.sections.push(Section { path: path.to_owned(), text: text_of(schema, "description"), fields });
        for Nested { path, name, schema } in nested {
            self.inside.extend(name.map(|name| (name, path.clone())));
            self.section(&path, schema);
            self.inside.truncate(self.inside.len() - usize::from(name.is_some()));
        }
    }

    fn kind(&mut self, path: &str, node: &'a Value, nested: &mut Vec<Nested<'a>>) -> Kind {
        let Some((name, schema)) = self.resolved(node) else { return Kind::Any };
        if schema.get("properties").is_some() {
            if let Some((_, above)) = self.inside.iter().find(|(n, _)| Some(*n) == name) {
                return Kind::Object(above.clone());
            }
            nested.push(Nested { path: path.to_owned(), name, schema });
            return Kind::Object(path.to_owned());
        }
        if let Some(choices) = choices(schema) {
            let values: Vec<_> = choices.iter().map(|(value, _)| value.clone()).collect();
            let text = text_of(schema, "description");
            let needs_words = !text.is_empty() || choices.iter().any(|(_, text)| !text.is_empty());
            return match name.filter(|_| needs_words) {
                Some(name) => {
                    self.types.insert(name.to_owned(), Type { text, choices, ..Type::default() });
                    Kind::Named(name.to_owned(), values)
                }
                None => Kind::Choice(values),
            };
        }
        match &types(schema)[..] {
            ["array"] => Kind::List(Box::new(self.kind(&format!("{path}[]"), &schema["items"], nested))),
            ["object"] => match &schema["additionalProperties"] {
                values @ Value::Object(_) => Kind::Map(Box::new(self.kind(&format!("{path}.*"), values, nested))),
                _ => Kind::FreeForm,
            },
            [] => Kind::Any,
            _ => match name {
                Some(name) => {
                    self.types.insert(name.to_owned(), scalar(schema));
                    Kind::Named(name.to_owned(), Vec::new())
                }
                None => Kind::Plain(words(schema)),
            },
        }
    }

    /// What stands behind references and options, and its name.
    fn resolved(&self, node: &'a Value) -> Option<(Option<&'a str>, &'a Value)> {
        let mut name = None;
        let mut node = node;
        loop {
            if let Some(reference) = node["$ref"].as_str() {
                let target = reference.strip_prefix("#/$defs/")?;
                let (key, schema) = self.definitions.get_key_value(target)?;
                (name, node) = (Some(key.as_str()), schema);
                continue;
            }
            let branches = node["anyOf"].as_array().into_iter().flatten();
            match &branches.filter(|branch| branch["type"] != "null").collect::<Vec<_>>()[..] {
                [only] => node = only,
                _ => return node.is_object().then_some((name, node)),
            }
        }
    }
}

/// Values of a choice, with what is said about them.
fn choices(schema: &Value) -> Option<Vec<(String, String)>> {
    let plain = |values: &Value, text: &str| -> Option<Vec<_>> {
        Some(values.as_array()?.iter().filter(|v| !v.is_null()).map(|v| (in_one_line(v), text.to_owned())).collect())
    };
    let of = |schema: &Value, text: &str| match schema.get("const") {
        Some(value) => Some(vec![(in_one_line(value), text.to_owned())]),
        None => plain(&schema["enum"], text),
    };
    match schema["oneOf"].as_array() {
        Some(branches) => {
            let each: Option<Vec<_>> =
                branches.iter().map(|branch| of(branch, &text_of(branch, "description"))).collect();
            each.map(|each| each.concat())
        }
        None => of(schema, ""),
    }
}

fn scalar(schema: &Value) -> Type {
    let examples = schema["examples"].as_array().into_iter().flatten().map(in_one_line).collect();
    let pattern = schema["pattern"].as_str().map(str::to_owned);
    Type { text: text_of(schema, "description"), words: words(schema), pattern, examples, choices: Vec::new() }
}

/// The types of a node, without null.
fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    }
}

/// Type and limits of a text or number.
fn words(schema: &Value) -> String {
    let word = |kind: &&str| match (*kind, schema["format"].as_str()) {
        ("string", Some("ipv4")) => "IPv4 address".to_owned(),
        ("string", Some("date-time")) => "date and time".to_owned(),
        ("string", _) => "text".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        (other, _) => other.to_owned(),
    };
    let kinds: Vec<_> = types(schema).iter().map(word).collect();
    let limits = match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (None | Some(0), None) => String::new(),
        (Some(from), None) => format!(", {from} or more"),
        (from, Some(to)) => format!(", {} to {to}", from.unwrap_or_default()),
    };
    let length = match (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        (_, None) => String::new(),
        (from, Some(to)) => format!(", {} to {to} characters", from.unwrap_or_default()),
    };
    kinds.join(" or ") + &limits + &length
}

/// A default that says something: objects are described by their own fields.
fn default(value: &Value) -> Option<String> {
    let is_empty = match value {
        Value::Null | Value::Object(_) => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    (!is_empty).then(|| in_one_line(value))
}

fn in_one_line(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Doc comments are wrapped; pages are not.
fn text_of(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
