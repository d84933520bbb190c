//! Findings as workflow commands of GitHub Actions, which shows them at the lines of a pull request.

use model::{Finding, Severity};

pub(crate) fn text(findings: &[Finding]) -> String {
    findings.iter().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let Finding { severity, place, field: _, rule, message, mend, cluster: _, reason: _ } = finding;
    let command = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut properties = format!("file={}", property(&place.file));
    if place.line > 0 {
        let end = place.column + place.width.max(1);
        properties += &format!(",line={0},endLine={0},col={1},endColumn={end}", place.line, place.column);
    }
    let text = if mend.is_empty() { message.clone() } else { format!("{message}\n{mend}") };
    format!("::{command} {properties},title={}::{}\n", property(rule), data(&text))
}

/// A line break would begin another command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
