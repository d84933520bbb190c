//! Findings for people: each with its place, the line underlined, the rule and the mend; all of them, then a count.

pub(crate) mod github;
pub(crate) mod sarif;

use super::{count, plain, styles};
use model::{Finding, Severity};
use std::fmt::Write as _;

/// How many of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
}

impl Counts {
    pub(crate) fn of(findings: &[Finding]) -> Self {
        let errors = findings.iter().filter(|f| f.is_error()).count();
        Self { errors, warnings: findings.len() - errors }
    }

    /// `2 errors, 1 warning`; `nothing` says what the absence of both means.
    pub(crate) fn text(self, nothing: &str) -> String {
        let errors = (self.errors > 0).then(|| styles::bad(count(self.errors, "error")));
        let warnings = (self.warnings > 0).then(|| styles::warn(count(self.warnings, "warning")));
        let parts: Vec<_> = errors.into_iter().chain(warnings).collect();
        if parts.is_empty() { styles::good(nothing) } else { parts.join(", ") }
    }
}

/// Every finding, with a blank line after each.
pub(crate) fn text(findings: &[Finding]) -> String {
    findings.iter().map(|finding| one(finding) + "\n").collect()
}

fn one(finding: &Finding) -> String {
    let Finding { severity, place, field, rule, message, mend, cluster, reason: _ } = finding;
    let paint = |text: String| match severity {
        Severity::Error => styles::bad(text),
        Severity::Warning => styles::warn(text),
    };
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out =
        format!("{}{}\n", paint(format!("{severity}[{rule}]")), styles::bold(format!(": {}", plain(message))));
    let margin = if place.line == 0 { 1 } else { place.line.to_string().len() };
    let gutter = " ".repeat(margin);
    let file = plain(&place.file);
    let _ = match place.line {
        0 => writeln!(out, "{gutter}{} {file}", styles::accent("-->")),
        line => writeln!(out, "{gutter}{} {file}:{line}:{}", styles::accent("-->"), place.column),
    };
    if place.line > 0 && !place.text.is_empty() {
        let bar = styles::accent("|");
        let _ = writeln!(out, "{gutter} {bar}");
        let _ = writeln!(out, "{} {bar} {}", styles::accent(place.line), plain(&place.text));
        if let Some(underline) = underline(place) {
            let _ = writeln!(out, "{gutter} {bar} {}", paint(underline));
        }
    }
    let mut note = |name: &str, text: &str| {
        for (i, line) in plain(text).lines().enumerate() {
            let name = if i == 0 { format!("{} {name}:", styles::accent("=")) } else { " ".repeat(name.len() + 3) };
            let _ = writeln!(out, "{gutter} {name} {line}");
        }
    };
    // The underlined line says which field it is, where there is one.
    if !field.is_empty() && place.text.is_empty() {
        note("field", field);
    }
    if let Some(cluster) = cluster {
        note("cluster", &cluster.to_string());
    }
    note("mend", mend);
    out
}

/// Blanks up to the column, then carets; None when the place lies outside of the (shortened) text.
fn underline(place: &model::Place) -> Option<String> {
    let length = place.text.chars().count();
    let start = usize::try_from(place.column).ok()?.checked_sub(1).filter(|start| *start <= length)?;
    let width = usize::try_from(place.width).ok()?.clamp(1, (length - start).max(1));
    // As wide as `plain` shows what stands before it.
    let before: String = place.text.chars().take(start).collect();
    let marked: String = place.text.chars().skip(start).take(width).collect();
    let blanks = plain(&before).chars().count();
    Some(format!("{}{}", " ".repeat(blanks), "^".repeat(plain(&marked).chars().count().max(1))))
}

#[cfg(test)]
mod tests;
