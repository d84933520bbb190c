//! Manifests as text, with comments: YAML writers have none.

use serde_json::Value;

/// An object, and what is to be said of it.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// Above the object; empty for nothing.
    about: &'static str,
    pub(super) object: Value,
    /// Above each entry of `rules`, in their order.
    rules: Vec<&'static str>,
}

impl Manifest {
    pub(super) fn new(about: &'static str, object: Value) -> Self {
        Self { about, object, rules: Vec::new() }
    }

    pub(super) fn with_rules(self, rules: Vec<&'static str>) -> Self {
        Self { rules, ..self }
    }

    /// One document of a stream.
    pub(super) fn text(&self) -> String {
        let yaml = serde_yaml::to_string(&self.object).unwrap_or_else(|e| unreachable!("a manifest is YAML: {e}"));
        let mut text = String::from("---\n");
        comment(self.about, &mut text);
        let mut why = self.rules.iter();
        for line in yaml.lines() {
            if line.starts_with("- apiGroups:") {
                comment(why.next().copied().unwrap_or_default(), &mut text);
            }
            match variable(line) {
                Some((key, variable)) => text.push_str(&format!("{key}: |-\n    {variable}\n")),
                None => {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// A line of a Secret of which clusterctl gives the value, which may be `yes`, `0123` or `a: b`.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(": ")?;
    (value.starts_with("${METAL_") && value.ends_with('}')).then_some((key, value))
}

/// At most 100 characters a line.
fn comment(about: &str, text: &mut String) {
    let mut line = String::from("#");
    for word in about.split_whitespace() {
        if line.len() + 1 + word.len() > 100 {
            text.push_str(&line);
            text.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    if line.len() > 1 {
        text.push_str(&line);
        text.push('\n');
    }
}
