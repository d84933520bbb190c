//! What the schema of a kind says against a document, in words for people.

use super::{Lines, PARSERS};
use crate::limits::PROBLEMS_MAX;
use crate::place::short;
use crate::read::Problem;
use crate::rules::{INVALID_VALUE, MISSING_FIELD, OUT_OF_RANGE, Rule, UNKNOWN_FIELD, UNKNOWN_VALUE, WRONG_TYPE};
use crate::schema::Kind;
use crate::yaml::{Mark, Node, Value as Yaml};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Every wrong field of a document.
pub(crate) fn of(kind: Kind, root: &Node, lines: &Lines<'_>) -> Vec<Problem> {
    let Some(checker) = checker(kind) else { return Vec::new() };
    let mut instance = json_of(root, &BTreeSet::new(), "");
    // `1.34` and `true` are text where text is asked for, as the decoder takes them.
    let as_text: BTreeSet<String> = checker.validator.iter_errors(&instance).filter_map(|e| wants_text(&e)).collect();
    if !as_text.is_empty() {
        instance = json_of(root, &as_text, "");
    }
    let errors = checker.validator.iter_errors(&instance).take(PROBLEMS_MAX);
    let mut problems: Vec<_> = errors.flat_map(|error| problems_of(&error, &checker.schema, root, lines)).collect();
    // Somebody else's document: what is in it follows other rules.
    if root.get(&["kind"]).and_then(Node::text).is_some_and(|found| is_foreign(kind, found)) {
        problems.retain(|p| p.field == "kind");
        problems
            .iter_mut()
            .for_each(|p| p.mend = format!("here belongs a {}; move other documents elsewhere", kind.name()));
    }
    problems.sort_by_key(|p| (p.mark.line, p.mark.column));
    problems
}

/// Another kind, and no misspelling of the right one.
fn is_foreign(kind: Kind, found: &str) -> bool {
    crate::rules::nearest(found, [kind.name()].into_iter()).is_none()
}

struct Checker {
    schema: Value,
    validator: Validator,
}

/// None when our own schema does not compile, which a test excludes.
fn checker(kind: Kind) -> Option<&'static Checker> {
    static FLEET: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Fleet));
    static POLICY: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Policy));
    static OVERLAY: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Overlay));
    static DEFINITION: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Definition));
    static LOCK: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Lock));
    static TOMBSTONE: LazyLock<Option<Checker>> = LazyLock::new(|| compile(Kind::Tombstone));
    match kind {
        Kind::Fleet => FLEET.as_ref(),
        Kind::Policy => POLICY.as_ref(),
        Kind::Overlay => OVERLAY.as_ref(),
        Kind::Definition => DEFINITION.as_ref(),
        Kind::Lock => LOCK.as_ref(),
        Kind::Tombstone => TOMBSTONE.as_ref(),
    }
}

fn compile(kind: Kind) -> Option<Checker> {
    let schema = crate::schema::explaining(kind);
    let mut options = jsonschema::options().should_validate_formats(true);
    for (name, refusal) in PARSERS {
        options = options.with_format(*name, move |text: &str| refusal(text).is_none());
    }
    let validator = options.build(&schema).ok()?;
    Some(Checker { schema, validator })
}

/// The document as JSON; what is empty is left out, as if it was not written.
fn json_of(node: &Node, as_text: &BTreeSet<String>, pointer: &str) -> Value {
    match &node.value {
        Yaml::Scalar { text, plain } if *plain && !as_text.contains(pointer) => plain_value(text),
        Yaml::Scalar { text, .. } => Value::String(text.clone()),
        Yaml::Seq(items) => {
            items.iter().enumerate().map(|(i, item)| json_of(item, as_text, &format!("{pointer}/{i}"))).collect()
        }
        Yaml::Map(fields) => {
            let present = fields.iter().filter(|f| !f.node.is_null());
            let value = |key: &str, node| json_of(node, as_text, &format!("{pointer}/{}", escape(key)));
            Value::Object(present.map(|f| (f.key.clone(), value(&f.key, &f.node))).collect::<Map<_, _>>())
        }
    }
}

fn plain_value(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => {
            let number = text.parse::<i64>().map(Value::from).ok();
            let float =
                || text.parse::<f64>().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'));
            number.or_else(|| float().map(Value::from)).unwrap_or_else(|| json!(text))
        }
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn wants_text(error: &ValidationError<'_>) -> Option<String> {
    let ValidationErrorKind::Type { kind } = error.kind() else { return None };
    let scalar = matches!(&**error.instance(), Value::Number(_) | Value::Bool(_));
    (scalar && expected(kind).contains("text")).then(|| error.instance_path().as_str().to_owned())
}

/// What is expected, in words.
fn expected(kind: &TypeKind) -> String {
    let word = |name: &str| match name {
        "string" => "text",
        "object" => "a mapping",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "nothing",
    };
    let names: Vec<String> = match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(set) => set.iter().map(|one| one.to_string()).collect(),
    };
    let words: Vec<_> = names.iter().map(|n| word(n)).filter(|w| *w != "nothing").collect();
    words.join(" or ")
}

fn problems_of(error: &ValidationError<'_>, schema: &Value, root: &Node, lines: &Lines<'_>) -> Vec<Problem> {
    let at = Spot::find(root, error.instance_path().as_str());
    let value = &**error.instance();
    let one = |rule, message: String, mend: String| vec![at.problem(rule, message, mend, lines)];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = properties(schema, error.schema_path().as_str());
            unexpected.iter().take(PROBLEMS_MAX).map(|name| unknown_field(&at, name, &known, lines)).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![missing(&at, property.as_str().unwrap_or_default(), lines)]
        }
        ValidationErrorKind::Type { kind } => {
            one(WRONG_TYPE, format!("{} instead of {}", what(value), expected(kind)), String::new())
        }
        ValidationErrorKind::Enum { options } => unknown_value(&at, value, options, lines),
        ValidationErrorKind::Constant { expected_value } => {
            unknown_value(&at, value, &json!([&**expected_value]), lines)
        }
        ValidationErrorKind::Format { format } => {
            let text = value.as_str().unwrap_or_default();
            let refusal = PARSERS.iter().find(|(name, _)| name == format).and_then(|(_, refusal)| refusal(text));
            one(INVALID_VALUE, refusal.unwrap_or_else(|| format!("{} is no {format}", what(value))), String::new())
        }
        ValidationErrorKind::Maximum { limit } => {
            one(OUT_OF_RANGE, format!("{value} is more than {limit}"), String::new())
        }
        ValidationErrorKind::Minimum { limit } => {
            one(OUT_OF_RANGE, format!("{value} is less than {limit}"), String::new())
        }
        _ => one(INVALID_VALUE, error.to_string(), String::new()),
    }
}

fn missing(at: &Spot<'_>, name: &str, lines: &Lines<'_>) -> Problem {
    let spot = at.key(name);
    if spot.node.is_some() {
        return spot.problem(MISSING_FIELD, format!("`{name}` is empty"), "give it a value".to_owned(), lines);
    }
    spot.problem(MISSING_FIELD, format!("`{name}` is missing"), format!("add `{name}`"), lines)
}

fn unknown_field(at: &Spot<'_>, name: &str, known: &[String], lines: &Lines<'_>) -> Problem {
    let list = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
    let mend = match crate::rules::nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? Known here: {list}"),
        None => format!("known here: {list}"),
    };
    at.key(name).problem(UNKNOWN_FIELD, format!("`{name}` is no field of {}", at.name()), mend, lines)
}

fn unknown_value(at: &Spot<'_>, value: &Value, options: &Value, lines: &Lines<'_>) -> Vec<Problem> {
    let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let near = value.as_str().and_then(|v| crate::rules::nearest(v, options.iter().copied()));
    let list = options.join(", ");
    let mend = match near {
        Some(near) if options.len() > 1 => format!("did you mean `{near}`? Allowed: {list}"),
        _ => format!("allowed: {list}"),
    };
    vec![at.problem(UNKNOWN_VALUE, format!("{} is not allowed here", what(value)), mend, lines)]
}

/// A value in a message.
fn what(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("`{}`", crate::place::shown(text)),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// The fields that the object schema holding `keyword_path` knows; `$ref`s on the way are followed.
fn properties(schema: &Value, keyword_path: &str) -> Vec<String> {
    let mut here = schema;
    for token in keyword_path.split('/').skip(1) {
        if token == "additionalProperties" {
            break;
        }
        here = match token {
            "$ref" => follow(schema, here),
            _ => &here[token.replace("~1", "/").replace("~0", "~")],
        };
    }
    if here.get("properties").is_none() {
        here = follow(schema, here);
    }
    here["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned()).collect()
}

fn follow<'s>(schema: &'s Value, here: &'s Value) -> &'s Value {
    let target = here.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    target.and_then(|pointer| schema.pointer(pointer)).unwrap_or(here)
}

/// A node of the document with the field path that names it.
struct Spot<'a> {
    field: String,
    mark: Mark,
    node: Option<&'a Node>,
}

impl<'a> Spot<'a> {
    fn find(root: &'a Node, pointer: &str) -> Self {
        let mut spot = Spot { field: String::new(), mark: Mark::default(), node: Some(root) };
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            spot = match (spot.node.map(|n| &n.value), token.parse::<usize>()) {
                (Some(Yaml::Seq(items)), Ok(index)) => Spot {
                    field: format!("{}[{index}]", spot.field),
                    mark: items.get(index).map_or(spot.mark, Node::head),
                    node: items.get(index),
                },
                _ => spot.key(&token),
            };
        }
        spot.at_value()
    }

    /// The place of a scalar is its value, of everything else its key.
    fn at_value(self) -> Self {
        match self.node {
            Some(node) if matches!(&node.value, Yaml::Scalar { .. }) => Self { mark: node.mark, ..self },
            _ => self,
        }
    }

    fn key(&self, name: &str) -> Spot<'a> {
        let found = self.node.and_then(|n| n.field(name));
        let inside = self.inside(name);
        Spot { mark: found.map_or(inside.mark, |f| f.mark), node: found.map(|f| &f.node), ..inside }
    }

    /// A field that is not there: the place is what should hold it.
    fn inside(&self, name: &str) -> Spot<'a> {
        let dot = if self.field.is_empty() { "" } else { "." };
        let first = || self.node.map_or(Mark::default(), |n| n.mark);
        let mark = if self.mark == Mark::default() { first() } else { self.mark };
        Spot { field: format!("{}{dot}{name}", self.field), mark, node: None }
    }

    fn name(&self) -> String {
        if self.field.is_empty() { "the document".to_owned() } else { format!("`{}`", self.field) }
    }

    fn problem(&self, rule: &'static Rule, message: String, mend: String, lines: &Lines<'_>) -> Problem {
        let mark = self.mark;
        let (field, message) = (short(self.field.clone()), short(message));
        Problem { rule, mark, text: lines.text(mark), field, message, mend }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles() {
        for kind in Kind::ALL {
            assert!(checker(kind).is_some(), "{kind:?}");
        }
    }
}
