//! An explained field for people.

use super::{Explained, Field};
use crate::output::{plain, styles, table::Table, width, wrapped};
use serde_json::Value;
use std::fmt::Write as _;

impl Explained {
    /// The field, then those below it: a line each, or as a tree where all of them were asked for.
    pub(crate) fn text(&self, deep: bool) -> String {
        let Self { kind, change, field } = self;
        let Field { name, type_name, required, description, default, allowed, limits, pattern, examples, fields } =
            field;
        let mut out = String::new();
        let mut line = |heading: &str, text: &str| {
            let _ = writeln!(out, "{} {text}", styles::bold(format!("{heading:9}")));
        };
        line("KIND:", kind);
        if !name.is_empty() {
            let required = if *required { format!(" {}", styles::warn("required")) } else { String::new() };
            line("FIELD:", &format!("{name} {}{required}", styles::accent(format!("<{type_name}>"))));
        }
        if let Some(default) = default {
            line("DEFAULT:", &shown(default));
        }
        let is_told = allowed.iter().any(|one| one.description.is_some());
        if !allowed.is_empty() && !is_told {
            line("VALUES:", &allowed.iter().map(|one| shown(&one.value)).collect::<Vec<_>>().join(", "));
        }
        if !limits.is_empty() {
            line("LIMITS:", &limits.join(", "));
        }
        if let Some(pattern) = pattern {
            line("PATTERN:", pattern);
        }
        if !examples.is_empty() {
            line("EXAMPLES:", &examples.iter().map(shown).collect::<Vec<_>>().join(", "));
        }
        let max = width().unwrap_or(usize::MAX).saturating_sub(2).max(20);
        let mut paragraphs = |heading: &str, all: &[String]| {
            if !all.is_empty() {
                let _ = writeln!(out, "\n{}", styles::bold(heading));
            }
            for line in all.iter().flat_map(|paragraph| wrapped(&plain(paragraph), max)) {
                let _ = writeln!(out, "  {line}");
            }
        };
        paragraphs("DESCRIPTION:", description);
        paragraphs("CHANGE:", change.as_slice());
        if is_told {
            let mut values = Table::plain(2);
            for one in allowed {
                values.row([shown(&one.value), one.description.clone().unwrap_or_default()]);
            }
            let _ = write!(out, "\n{}\n{}", styles::bold("VALUES:"), values.text());
        }
        if !fields.is_empty() {
            let mut table = Table::plain(4);
            rows(&mut table, fields, "", deep);
            let _ = write!(out, "\n{}\n{}", styles::bold("FIELDS:"), table.text());
        }
        out
    }
}

fn rows(table: &mut Table, fields: &[Field], indent: &str, deep: bool) {
    for field in fields {
        let Field { name, type_name, required, description, allowed, fields, .. } = field;
        let first = description.first().map(|text| sentence(text)).unwrap_or_default();
        let doc = if first.is_empty() {
            allowed.iter().map(|one| shown(&one.value)).collect::<Vec<_>>().join(", ")
        } else {
            first.to_owned()
        };
        let required = if *required { styles::warn("required") } else { String::new() };
        table.row([format!("{indent}{name}"), styles::accent(format!("<{type_name}>")), required, doc]);
        if deep {
            rows(table, fields, &format!("{indent}  "), deep);
        }
    }
}

/// Up to the first full stop before a blank.
fn sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |at| &text[..=at])
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
