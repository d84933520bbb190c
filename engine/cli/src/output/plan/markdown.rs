//! A plan as a comment on a pull request: one table, and the details folded below it.
//!
//! What others wrote (messages of metal-api, of Git, names) is text here and nothing else: no markup, no HTML, no mention.

use super::{Report, files, words};
use crate::output::clusters::short;
use crate::output::count;
use ::plan::{ClusterLine, PlanView};
use model::{ClusterId, Finding};
use std::collections::BTreeMap;

/// What a comment may hold: GitHub takes 65,536 characters.
const CHARACTERS_MAX: usize = 60_000;

/// For the sentence that says that something is missing.
const CUT: &str = "\n\n**This is cut here:** a comment holds no more. `ferrofleet plan` shows all of it.\n";

/// `with_diff`: also the lines that change.
pub(crate) fn markdown(report: &Report, with_diff: bool) -> String {
    let view = report.plan.view();
    let mut page = Page::default();
    page.add(&head(report, &view));
    table(&mut page, report, &view);
    details(&mut page, report, &view);
    changes(&mut page, report, with_diff);
    page.end()
}

/// Grows up to what a comment may hold; what does not fit any more ends it.
#[derive(Debug, Default)]
struct Page {
    text: String,
    characters: usize,
    is_cut: bool,
}

impl Page {
    fn add(&mut self, part: &str) {
        let more = part.chars().count();
        self.is_cut |= self.characters + more + CUT.len() > CHARACTERS_MAX;
        if !self.is_cut {
            self.text.push_str(part);
            self.characters += more;
        }
    }

    fn end(mut self) -> String {
        if self.is_cut {
            self.text.push_str(CUT);
        }
        self.text
    }
}

fn head(report: &Report, view: &PlanView) -> String {
    let at = report.tip.map(|tip| format!(" at `{}`", short(tip))).unwrap_or_default();
    let mut out = format!("### Ferrofleet plan: {}{at}\n\n", words::totals(report));
    let mut warn = |title: &str, text: &str| {
        out.push_str(&format!("> **{title}:** {}\n\n", escaped(text)));
    };
    if view.incomplete {
        warn("Incomplete", words::INCOMPLETE);
    }
    view.suspect.iter().for_each(|line| warn("Suspect", line));
    for finding in report.findings.iter().filter(|finding| finding.is_error()) {
        warn("Error", &said(finding));
    }
    for unknown in &report.unknown {
        warn("Not known", unknown);
    }
    out
}

fn said(finding: &Finding) -> String {
    let Finding { place, rule, message, mend, .. } = finding;
    let mend = if mend.is_empty() { String::new() } else { format!(" ({mend})") };
    format!("{}:{}: {rule}: {message}{mend}", place.file, place.line)
}

/// What is said of one cluster, a line each, with a short form for the table.
#[derive(Debug, Default)]
struct Row {
    metal: Vec<String>,
    machines: Vec<String>,
    attention: Vec<String>,
    details: Vec<String>,
}

impl Row {
    fn is_empty(&self) -> bool {
        self.metal.is_empty() && self.attention.is_empty() && self.details.is_empty()
    }
}

fn rows<'a>(report: &'a Report, view: &'a PlanView) -> BTreeMap<&'a ClusterId, Row> {
    let mut rows: BTreeMap<&ClusterId, Row> = BTreeMap::new();
    for line in &view.clusters {
        steps(rows.entry(&line.cluster).or_default(), line);
    }
    for (id, impacts) in &report.impacts {
        let row = rows.entry(id).or_default();
        for impact in impacts.iter().filter(|impact| words::is_told(impact)) {
            let (outcome, said) = (words::outcome(impact), words::impact(impact));
            if !outcome.is_empty() {
                row.machines.push(format!("{}: {outcome}", impact.object));
            }
            let said = format!("{} {}: {said}", words::action(impact.effect), impact.object);
            row.details.push(said.trim_end_matches([':', ' ']).to_owned());
        }
    }
    for (id, warnings) in report.warnings() {
        let row = rows.entry(id).or_default();
        row.attention.push(count(warnings.len(), "warning"));
        row.details.extend(warnings.iter().map(|warning| format!("warning: {}", warning.message)));
    }
    for (id, deleting) in &report.plan.deletions {
        let row = rows.entry(id).or_default();
        row.metal.push(format!("deletion, {}: {}", words::stage(deleting), words::next(deleting)));
        row.attention.extend(deleting.refused.as_ref().map(|(reason, _)| reason.to_string()));
        row.details.extend(deleting.refused.iter().map(|(reason, message)| format!("refused: {reason}: {message}")));
        row.details.extend(deleting.waits.iter().map(|wait| format!("waits: {}", words::wait(wait))));
    }
    for loss in &report.plan.losses {
        let row = rows.entry(&loss.cluster).or_default();
        row.attention.push(format!("{} lost", loss.slot));
        row.details.push(format!("lost: {}", words::loss(loss)));
    }
    rows.retain(|_, row| !row.is_empty());
    rows
}

fn steps(row: &mut Row, line: &ClusterLine) {
    if let Some(blocked) = &line.blocked {
        row.attention.push(blocked.split(':').next().unwrap_or(blocked).to_owned());
        row.details.push(format!("blocked: {blocked}"));
    }
    for step in &line.steps {
        let slot = &step.slot;
        match step.action {
            "keep" | "delegate" => continue,
            "refuse" => row.attention.push(format!("{slot}: {}", step.detail.split(':').next().unwrap_or_default())),
            action => row.metal.push(format!("{action} {slot}")),
        }
        row.details.push(format!("{} {slot}: {}", step.action, step.detail));
    }
    row.attention.extend(line.notes.iter().map(|note| note.split(':').next().unwrap_or(note).to_owned()));
    row.details.extend(line.notes.iter().map(|note| format!("note: {note}")));
}

fn table(page: &mut Page, report: &Report, view: &PlanView) {
    let rows = rows(report, view);
    let quiet = view.clusters.iter().filter(|line| !rows.contains_key(&line.cluster)).count();
    if !rows.is_empty() {
        page.add("| Cluster | metal-api | Machines | Attention |\n|---|---|---|---|\n");
        for (id, row) in &rows {
            let cell = |lines: &[String]| lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br>");
            let Row { metal, machines, attention, details: _ } = row;
            page.add(&format!("| {id} | {} | {} | {} |\n", cell(metal), cell(machines), cell(attention)));
        }
        page.add("\n");
    }
    if quiet > 0 {
        page.add(&format!("{} with every value known.\n\n", count(quiet, "cluster")));
    }
    for (id, row) in rows.iter().filter(|(_, row)| !row.details.is_empty()) {
        page.add(&folded(&id.to_string(), &list(&row.details)));
    }
}

fn details(page: &mut Page, report: &Report, view: &PlanView) {
    let lacks: Vec<_> = report.plan.capacity.iter().filter(|line| line.need > 0).map(words::capacity).collect();
    let sections =
        [("to free", &view.frees), ("duplicates", &view.duplicates), ("orphans", &view.orphans), ("capacity", &lacks)];
    for (name, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        page.add(&folded(&format!("{name} ({})", lines.len()), &list(lines)));
    }
}

fn changes(page: &mut Page, report: &Report, with_diff: bool) {
    if report.files.is_empty() {
        return;
    }
    let line = |change| {
        let counts = words::counts(files::counts(change));
        format!("{} {} {counts}", words::file(files::kind(change)), change.path).trim_end().to_owned()
    };
    let lines: Vec<_> = report.files.iter().map(line).collect();
    page.add(&folded(&count(lines.len(), "file"), &list(&lines)));
    for change in report.files.iter().filter(|_| with_diff) {
        // Nothing is compared for what would not be shown.
        if page.is_cut {
            break;
        }
        let diff = format!("{}{}", files::head(change), files::unified(change));
        page.add(&folded(&change.path, &fenced(&diff)));
    }
}

fn folded(title: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>\n\n{body}\n</details>\n\n", escaped(title))
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}\n", escaped(line))).collect()
}

/// In a fence that is longer than any run of backticks in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let shown: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
    format!("{fence}diff\n{shown}{fence}\n")
}

/// Text that stays text, in a line of its own: in a table, a list or a summary.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("&#124;"),
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            '*' | '_' | '`' | '[' | ']' | '~' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
