//! Why a document could not be read: every wrong field of it, each with its place.

mod schema_errors;

use crate::limits::PROBLEMS_MAX;
use crate::read::{Broken, Problem};
use crate::rules::{ALIASES, EMPTY, INVALID_VALUE, INVALID_YAML, TOO_BIG, TOO_DEEP};
use crate::schema::Kind;
use crate::yaml::{Fault, Mark, Node, Value};
use model::definition::{CountOrPercent, VersionWish};
use model::fleet::HttpUrl;
use model::ids::{Label, SecretName};
use model::overlay::LabelSelector;
use model::policy::KubernetesVersion;
use model::rules::RuleComment;
use model::{
    Allocation, Cidr, ClusterName, CommitId, FleetName, ImageId, MachineId, Namespace, NetworkId, PartitionId,
    ProjectId, Seconds, SizeId, Timestamp,
};

/// Explains a text that `error` refused.
pub(crate) fn explain(kind: Kind, text: &str, error: &serde_saphyr::Error) -> Broken {
    let (root, faults) = crate::yaml::parse(text);
    let lines = Lines(text.lines().collect());
    let mut problems: Vec<_> = faults.into_iter().map(|fault| lines.fault(fault)).collect();
    let Some(root) = root.filter(|root| !root.is_null()) else {
        if problems.is_empty() {
            let mend = format!("write a {} or remove the file", kind.name());
            let whole = Fault { rule: EMPTY, mark: Mark::default(), message: "no content".to_owned(), mend };
            problems.push(lines.fault(whole));
        }
        return Broken { problems, ..Broken::default() };
    };
    // Where the reading stopped, a field that seems to be missing may stand below.
    let stops = [INVALID_YAML, TOO_DEEP, TOO_BIG, ALIASES];
    let is_whole = problems.iter().all(|p| !stops.contains(&p.rule));
    if is_whole {
        problems.extend(schema_errors::of(kind, &root, &lines));
    }
    if problems.is_empty() {
        problems.push(lines.decoder(error));
    }
    problems.truncate(PROBLEMS_MAX);
    let text = |path: &[&str]| root.get(path).filter(|n| !n.is_null()).and_then(Node::text).map(str::to_owned);
    let identity = |key| text(&["identity", key]);
    Broken {
        problems,
        name: text(&["metadata", "name"]).or_else(|| identity("name")),
        namespace: text(&["spec", "target", "namespace"]).or_else(|| identity("namespace")),
        stage: text(&["spec", "stage"]),
        selector: if kind == Kind::Overlay && is_whole { selector(&root) } else { None },
        disabled: text(&["spec", "disabled"]).is_some_and(|text| text == "true"),
    }
}

/// Whom an overlay is for; everybody where it says nothing.
fn selector(root: &Node) -> Option<LabelSelector> {
    let spec = root.field("spec").map(|field| &field.node)?;
    let Value::Map(_) = &spec.value else { return None };
    match spec.field("selector").filter(|field| !field.node.is_null()) {
        Some(field) => serde_json::from_value(texts(&field.node)).ok(),
        None => Some(LabelSelector::default()),
    }
}

/// A node all of whose values are text.
fn texts(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar { text, .. } => text.as_str().into(),
        Value::Seq(items) => items.iter().map(texts).collect(),
        Value::Map(fields) => fields.iter().map(|f| (f.key.clone(), texts(&f.node))).collect(),
    }
}

/// The lines of a text, for showing them.
pub(crate) struct Lines<'a>(Vec<&'a str>);

impl Lines<'_> {
    fn text(&self, mark: Mark) -> String {
        let line = (mark.line as usize).checked_sub(1).and_then(|i| self.0.get(i));
        line.map_or_else(String::new, |line| crate::place::shown_at(line, mark.column))
    }

    fn fault(&self, fault: Fault) -> Problem {
        let Fault { rule, mark, message, mend } = fault;
        Problem { rule, mark, text: self.text(mark), field: String::new(), message, mend }
    }

    /// The decoder's own words, where nobody has better ones.
    fn decoder(&self, error: &serde_saphyr::Error) -> Problem {
        let small = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let at = error.location().map(|l| Mark::new(small(l.line()), small(l.column()), 1)).unwrap_or_default();
        let said = error.without_snippet().to_string();
        let first = said.lines().next().unwrap_or_default();
        // The place is told apart.
        let bare = first.rsplit_once(" at line ").map_or(first, |(bare, _)| bare);
        let message = match bare {
            _ if bare.starts_with("cannot deserialize null") => "a value is missing",
            "invalid u8" | "invalid u16" | "invalid u32" => "not a whole number, or too big a one",
            other => other,
        };
        let message = message.to_owned();
        self.fault(Fault { rule: INVALID_VALUE, mark: at, message, mend: String::new() })
    }
}

/// A parser of a type, and what it says to a text that it refuses.
type Refusal = fn(&str) -> Option<String>;

macro_rules! refusals {
    ($($name:literal: $parse:expr,)*) => {
        &[$(($name, |text: &str| $parse(text).err().map(|e| e.to_string())),)*]
    };
}

/// By the name of the type in the schema.
pub(crate) const PARSERS: &[(&str, Refusal)] = refusals! {
    "Allocation": Allocation::parse,
    "Cidr": str::parse::<Cidr>,
    "ClusterName": ClusterName::parse,
    "CommitId": CommitId::parse,
    "CountOrPercent": count_or_percent,
    "FleetName": FleetName::parse,
    "HttpUrl": HttpUrl::parse,
    "ImageId": ImageId::parse,
    "KubernetesVersion": KubernetesVersion::parse,
    "Label": Label::parse,
    "MachineId": MachineId::parse,
    "Namespace": Namespace::parse,
    "NetworkId": NetworkId::parse,
    "PartitionId": PartitionId::parse,
    "ProjectId": ProjectId::parse,
    "RuleComment": RuleComment::parse,
    "Seconds": Seconds::parse,
    "SecretName": SecretName::parse,
    "SizeId": SizeId::parse,
    "VersionWish": VersionWish::parse,
    "date-time": |text: &str| text.parse::<Timestamp>().map_err(|_| format!("`{text}` is no time, for example `2027-03-31T00:00:00Z`")),
    "ipv4": |text: &str| text.parse::<std::net::Ipv4Addr>().map_err(|_| format!("`{text}` is no IPv4 address, for example `198.18.0.10`")),
};

fn count_or_percent(text: &str) -> Result<CountOrPercent, serde_json::Error> {
    serde_json::from_value(text.into())
}
