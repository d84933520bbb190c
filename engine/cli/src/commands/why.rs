//! `ferrofleet why`: which document set an effective value of a cluster.

use crate::args::{Format, RepoArgs};
use crate::exit::{Exit, Usage};
use crate::explain::Document;
use crate::output::{self, findings, plain, styles, table::Table, talk, width};
use crate::source::Fleet;
use crate::wiring::SystemClock;
use crate::words;
use clap::Args;
use fleet::{Setting, Source};
use model::{Clock as _, Finding};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Which document set each value of a cluster: definition, overlay, stage, policy, fleet, or built in
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet why shop\n  \
    ferrofleet why default.shop spec.network\n  \
    ferrofleet why shop pools.size --dir platform -o json")]
pub(crate) struct WhyArgs {
    /// Its name, or <namespace>.<name>
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// This field of the definition and those below it; `spec.` may be left out, and without an index it is every item
    #[arg(value_name = "FIELD")]
    field: Option<String>,
    /// A work tree of a fleet repository, in place of --repo [default: the folder here]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How values are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

pub(crate) fn why(args: &WhyArgs) -> anyhow::Result<Exit> {
    let fleet = Fleet::read(args.dir.as_deref(), &args.repo)?;
    let wanted = fleet.cluster(&args.cluster)?;
    let settings = fleet::why(&fleet.tree, &mut fleet::Memo::default(), SystemClock.now(), &wanted.id);
    let Some(settings) = settings else {
        let told: Vec<Finding> = fleet.errors(&[wanted]).cloned().collect();
        talk::say(findings::text(&told).trim_end());
        return Ok(Exit::Failed);
    };
    let chosen = match &args.field {
        None => settings,
        Some(field) => chosen(settings, field)?,
    };
    if chosen.is_empty() {
        talk::note(&format!("nothing sets {} of {}", args.field.as_deref().unwrap_or_default(), wanted.id));
    }
    output::show(args.output, &chosen, || text(&chosen))?;
    Ok(Exit::Done)
}

/// The settings at a field and below it. A field that the schema knows and nobody sets has none.
fn chosen(settings: Vec<Setting>, field: &str) -> Result<Vec<Setting>, Usage> {
    let spelled = [field.to_owned(), format!("spec.{field}")];
    let is_meant = |setting: &Setting| spelled.iter().any(|prefix| is_below(&setting.field, prefix));
    if settings.iter().any(is_meant) || spelled.iter().any(|field| is_in_schema(field)) {
        return Ok(settings.into_iter().filter(is_meant).collect());
    }
    let known: BTreeSet<String> = settings.iter().flat_map(|setting| above(&without_indices(&setting.field))).collect();
    let wanted = without_indices(field);
    let hint = words::hint(&wanted, known.iter().map(String::as_str), "`ferrofleet explain cluster.spec` lists fields");
    Err(Usage::new(format!("there is no field {field}"), hint))
}

/// Whether a field is the other one or stands below it; an index that was left out is any.
fn is_below(field: &str, prefix: &str) -> bool {
    let field = if prefix.contains('[') { field.to_owned() } else { without_indices(field) };
    field.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// `spec.pools[0].size` as `spec.pools.size`.
fn without_indices(field: &str) -> String {
    let parts = field.split('[').enumerate();
    parts.map(|(i, part)| if i == 0 { part } else { part.split_once(']').map_or("", |(_, rest)| rest) }).collect()
}

/// The field and everything it stands in.
fn above(field: &str) -> Vec<String> {
    let ends = field.match_indices('.').map(|(at, _)| at).chain([field.len()]);
    ends.map(|end| field[..end].to_owned()).collect()
}

fn is_in_schema(field: &str) -> bool {
    let field = without_indices(field);
    let path: Vec<&str> = field.split('.').collect();
    let definition = Document::all().into_iter().find(|document| document.is_named("cluster"));
    definition.is_some_and(|document| document.explain(&path, false).is_ok())
}

fn text(settings: &[Setting]) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["FIELD", "VALUE", "FROM", "WHERE", "NOTE"]);
    let rows = settings.iter().map(cells);
    rows.clone().for_each(|row| table.row(row));
    if width().is_none_or(|width| table.fits(width)) { table.text() } else { rows.map(stacked).collect() }
}

fn cells(setting: &Setting) -> [String; 5] {
    let Setting { field, value, origin, file, line, note } = setting;
    let shown = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let place = if *line == 0 { file.clone() } else { format!("{file}:{line}") };
    [field.as_str(), &shown, word(*origin), &place, note].map(|cell| plain(cell).replace('\n', " "))
}

/// Where a table would be wider than the terminal: nothing of a path or a value is cut off.
fn stacked([field, value, from, place, note]: [String; 5]) -> String {
    let parts: Vec<_> = [from, place, note].into_iter().filter(|part| !part.is_empty()).collect();
    format!("{} {value}\n    {}\n", styles::bold(field), styles::dim(parts.join("  ")))
}

fn word(source: Source) -> &'static str {
    match source {
        Source::Definition => "definition",
        Source::Overlay => "overlay",
        Source::Stage => "stage",
        Source::Policy => "policy",
        Source::Fleet => "fleet",
        Source::Folder => "folder",
        Source::BuiltIn => "built-in",
        Source::Lock => "lock",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(field: &str) -> Setting {
        Setting {
            field: field.to_owned(),
            value: Value::Null,
            origin: Source::BuiltIn,
            file: String::new(),
            line: 0,
            note: String::new(),
        }
    }

    #[track_caller]
    fn check(field: &str, expected: &[&str]) {
        let all = ["spec.network.pods", "spec.networks", "spec.pools[0].size", "spec.pools[1].size", "spec.vip.mode"];
        let found = chosen(all.map(setting).to_vec(), field).unwrap();
        assert_eq!(found.iter().map(|s| s.field.as_str()).collect::<Vec<_>>(), expected, "{field}");
    }

    #[test]
    fn a_field_means_itself_and_what_is_below_it() {
        check("spec.network", &["spec.network.pods"]);
        check("network.pods", &["spec.network.pods"]);
        check("pools.size", &["spec.pools[0].size", "spec.pools[1].size"]);
        check("spec.pools[1]", &["spec.pools[1].size"]);
        // The schema knows it, and nobody sets it.
        check("spec.firewall.rules", &[]);
    }

    #[test]
    fn a_field_that_does_not_exist_names_what_is_near() {
        let refused = chosen(vec![setting("spec.network.pods"), setting("spec.vip.mode")], "spec.netwrok").unwrap_err();
        assert_eq!(refused.to_string(), "there is no field spec.netwrok");
        assert_eq!(refused.hint(), "did you mean spec.network?");
    }
}
