//! A page of the reference as Markdown that GitHub and mdBook show alike.

use super::schema::{Field, Kind, Page, Section, Type};
use std::collections::BTreeSet;

/// Says that nobody should edit a page, and how it is written.
pub(crate) const GENERATED: &str =
    "<!-- Generated: FERROFLEET_UPDATE=1 cargo test -p ferrofleet-tests --test current -->\n";

/// More values than this are listed with their type alone.
const CHOICES: usize = 8;

pub(crate) fn page(page: &Page) -> String {
    let Page { title, sections, types } = page;
    let mut out = format!("{GENERATED}# {title}\n");
    let mut anchors = BTreeSet::new();
    let mut heading = |level: usize, text: &str| {
        assert!(anchors.insert(anchor(text)), "two headings of {title} have the anchor of {text}");
        format!("\n{} `{text}`\n", "#".repeat(level))
    };
    for section in sections {
        if !section.path.is_empty() {
            out += &heading(2, &section.path);
        }
        out += &fields(section);
    }
    if !types.is_empty() {
        out += "\n## Types\n";
    }
    for (name, kind) in types {
        out += &heading(3, name);
        out += &named(kind);
    }
    out
}

/// As GitHub and mdBook make it from a heading.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// Text for a cell of a table.
pub(crate) fn cell(text: &str) -> String {
    without_rules(text).replace('|', "\\|").replace('\n', " ")
}

/// Comments in the code quote the rules by number, as `(R1)`; no page has these numbers.
fn without_rules(text: &str) -> String {
    let is_number =
        |part: &str| part.strip_prefix('R').is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    let mut out = String::new();
    for (index, part) in text.split(" (").enumerate() {
        match part.split_once(')') {
            Some((inside, rest)) if index > 0 && inside.split(", ").all(is_number) => out += rest,
            _ if index > 0 => out += &format!(" ({part}"),
            _ => out += part,
        }
    }
    out
}

fn fields(section: &Section) -> String {
    let Section { path: _, text, fields } = section;
    let mut out = if text.is_empty() { String::new() } else { format!("\n{}\n", without_rules(text)) };
    if !fields.is_empty() {
        out += "\n| field | type | default | meaning |\n|---|---|---|---|\n";
    }
    for Field { name, kind, is_required, default, text } in fields {
        let default = match (is_required, default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => String::new(),
        };
        let cells = [format!("`{name}`"), words(kind), default, text.clone()];
        out += &format!("| {} |\n", cells.map(|c| cell(&c)).join(" | "));
    }
    out
}

fn words(kind: &Kind) -> String {
    match kind {
        Kind::Object(path) => format!("[object](#{})", anchor(path)),
        Kind::Named(name, values) if values.is_empty() || values.len() > CHOICES => {
            format!("[{name}](#{})", anchor(name))
        }
        Kind::Named(name, values) => format!("[{name}](#{}): {}", anchor(name), codes(values)),
        Kind::Choice(values) => codes(values),
        Kind::Plain(words) => words.clone(),
        Kind::List(of) => format!("list of {}", words(of)),
        Kind::Map(to) => format!("map from text to {}", words(to)),
        Kind::FreeForm => "object of any form".to_owned(),
        Kind::Any => "anything".to_owned(),
    }
}

fn codes(values: &[String]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

fn named(kind: &Type) -> String {
    let Type { text, words, pattern, examples, choices } = kind;
    let mut out = if text.is_empty() { String::new() } else { format!("\n{}\n", without_rules(text)) };
    let mut items = Vec::new();
    if !words.is_empty() {
        items.push(format!("- {words}\n"));
    }
    items.extend(pattern.iter().map(|pattern| format!("- of the form `{pattern}`\n")));
    if !examples.is_empty() {
        items.push(format!("- as {}\n", codes(examples)));
    }
    for (value, text) in choices {
        let text = if text.is_empty() { String::new() } else { format!(": {}", without_rules(text)) };
        items.push(format!("- `{value}`{text}\n"));
    }
    if !items.is_empty() {
        out += &format!("\n{}", items.concat());
    }
    out
}
