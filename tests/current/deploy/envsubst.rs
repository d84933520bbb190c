//! What clusterctl makes of `${VARIABLE}`: a name; `:=` and a default, which may have variables; `#` and a prefix to cut.

use std::collections::{BTreeMap, BTreeSet};

/// One place of a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub name: String,
    pub default: Option<String>,
    prefix: Option<String>,
}

/// The end of what `${` begins, after its brace.
fn end(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("no end: {text}");
}

fn parsed(inner: &str) -> Use {
    let length = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(length);
    assert!(!name.is_empty(), "no name: {inner}");
    let default = rest.strip_prefix(":=").map(str::to_owned);
    let prefix = rest.strip_prefix('#').map(str::to_owned);
    assert!(rest.is_empty() || default.is_some() || prefix.is_some(), "not understood: {inner}");
    Use { name: name.to_owned(), default, prefix }
}

/// Text with every place replaced.
fn replaced(text: &str, with: &mut dyn FnMut(Use) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let end = end(after);
        out.push_str(before);
        out.push_str(&with(parsed(&after[..end])));
        rest = &after[end + 1..];
    }
    out + rest
}

/// Every variable as it is written, those in defaults too.
pub(super) fn uses(text: &str) -> BTreeSet<Use> {
    let mut found = BTreeSet::new();
    let _ = replaced(text, &mut |place| {
        found.extend(place.default.iter().flat_map(|default| uses(default)));
        found.insert(place);
        String::new()
    });
    found
}

/// The text with values; a variable without value and default is an error, as in clusterctl.
pub(super) fn filled(text: &str, values: &BTreeMap<&str, &str>) -> Result<String, String> {
    let mut missing = None;
    let out = replaced(text, &mut |place| {
        let value = match (values.get(place.name.as_str()), &place.default) {
            (Some(value), _) => (*value).to_owned(),
            (None, Some(default)) => filled(default, values).unwrap_or_default(),
            (None, None) => {
                missing.get_or_insert(place.name.clone());
                String::new()
            }
        };
        place.prefix.as_ref().and_then(|prefix| value.strip_prefix(prefix)).unwrap_or(&value).to_owned()
    });
    missing.map_or(Ok(out), Err)
}

#[test]
fn variables_are_filled_as_clusterctl_does() {
    let text = "a ${A} b: ${B:=[\"x\"]} c-${C#v} ${D:=i-${C#v}}";
    let values = BTreeMap::from([("A", "1"), ("C", "v2")]);
    assert_eq!(filled(text, &values).unwrap(), "a 1 b: [\"x\"] c-2 i-2");
    let values = BTreeMap::from([("A", "1"), ("B", "b"), ("C", "2"), ("D", "d")]);
    assert_eq!(filled(text, &values).unwrap(), "a 1 b: b c-2 d");
    assert_eq!(filled(text, &BTreeMap::from([("C", "")])).unwrap_err(), "A");
    let names: Vec<_> = uses(text).into_iter().map(|place| place.name).collect();
    assert_eq!(names, ["A", "B", "C", "D"]);
}
