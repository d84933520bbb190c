//! The id of a Git commit, as documents and trailers write it; the template of the engine's titles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// 40 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CommitId(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of a commit: 40 hexadecimal digits")]
pub struct CommitIdError(String);

impl CommitId {
    pub fn parse(text: &str) -> Result<Self, CommitIdError> {
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if text.len() == 40 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CommitIdError(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CommitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for CommitId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CommitId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "The id of a Git commit.",
            "pattern": "^[0-9a-f]{40}$",
            "examples": ["1234567890123456789012345678901234567890"],
        })
    }
}

/// What `spec.commit.message` may name, as `{{title}}` and so on.
#[derive(Clone, Copy, Debug)]
pub struct TitleFacts<'a> {
    pub title: &'a str,
    pub reason: &'a str,
    pub clusters: &'a str,
    pub fleet: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error(
        "`{{{{{0}}}}}` is nothing that the message can name: {{{{title}}}}, {{{{reason}}}}, {{{{clusters}}}}, {{{{fleet}}}}"
    )]
    Unknown(String),
    #[error("`{{{{` without its `}}}}`")]
    Open,
    #[error("it is the first line of a message, and a line has no control characters")]
    Control,
    #[error("it is empty")]
    Empty,
}

/// Checks a template (`spec.commit.message`).
pub fn check_title(template: &str) -> Result<(), TemplateError> {
    title(template, TitleFacts { title: "x", reason: "x", clusters: "x", fleet: "x" }).map(|_| ())
}

/// The first line of a commit by its template. One line, whatever the facts hold: trailers cannot be forged by it.
pub fn title(template: &str, facts: TitleFacts<'_>) -> Result<String, TemplateError> {
    let TitleFacts { title, reason, clusters, fleet } = facts;
    if template.chars().any(char::is_control) {
        return Err(TemplateError::Control);
    }
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(TemplateError::Open)?;
        text.push_str(before);
        text.push_str(match name.trim() {
            "title" => title,
            "reason" => reason,
            "clusters" => clusters,
            "fleet" => fleet,
            unknown => return Err(TemplateError::Unknown(unknown.to_owned())),
        });
        rest = after;
    }
    text.push_str(rest);
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().is_empty() { Err(TemplateError::Empty) } else { Ok(text.trim().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_a_template_makes_one_line_and_names_what_it_knows() {
        let facts = TitleFacts { title: "Resolve a.b", reason: "resolve", clusters: "a.b", fleet: "x\n\nFleet-Run: 1" };
        let made = |template| title(template, facts);
        assert_eq!(made("chore({{ reason }}): {{title}}").unwrap(), "chore(resolve): Resolve a.b");
        assert_eq!(made("no name at all").unwrap(), "no name at all");
        assert_eq!(made("{{fleet}}").unwrap(), "x  Fleet-Run: 1");
        assert_eq!(made("{{who}}"), Err(TemplateError::Unknown("who".to_owned())));
        assert_eq!(made("{{title"), Err(TemplateError::Open));
        assert_eq!(made("a\nb"), Err(TemplateError::Control));
        assert_eq!(made("  "), Err(TemplateError::Empty));
        assert_eq!(check_title("{{title}} ({{clusters}})"), Ok(()));
        let words = TemplateError::Unknown("who".to_owned()).to_string();
        assert!(words.starts_with("`{{who}}` is nothing"), "{words}");
    }
}
