//! `ferrofleet history`: what engines committed and what people answered.

use crate::args::{AccessArgs, Format, RepoArgs};
use crate::exit::{Exit, Usage};
use crate::output::clusters::short;
use crate::output::{self, plain, styles, talk};
use crate::source::Remote;
use crate::words;
use clap::Args;
use gitops::LogEntry;
use model::{ClusterId, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What engines committed and what people answered, the newest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet history --repo https://git.example.com/fleet.git\n  \
    ferrofleet history shop --limit 5 --repo https://git.example.com/fleet.git\n  \
    ferrofleet history payments.billing --repo https://git.example.com/fleet.git -o json")]
pub(crate) struct HistoryArgs {
    /// Only this cluster: its name, or <namespace>.<name>; also one that was deleted
    #[arg(value_name = "CLUSTER")]
    cluster: Option<String>,
    /// At most so many commits
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// How they are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

/// How far back the name of a cluster is looked for.
const NAMES_MAX: usize = 10_000;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: git::Oid,
    time: Timestamp,
    author: &'a str,
    title: &'a str,
    reason: &'a str,
    clusters: &'a [ClusterId],
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<git::Oid>,
    values: &'a [String],
    freed: &'a [String],
}

pub(crate) async fn history(args: HistoryArgs) -> anyhow::Result<Exit> {
    let mut remote = Remote::open("history", &args.repo, &AccessArgs::default())?;
    let cluster = match &args.cluster {
        None => None,
        Some(name) => Some(named(&mut remote, name).await?),
    };
    let log = remote.engine.log(args.limit, cluster.as_ref()).await?;
    if log.is_empty() {
        talk::note("no engine has committed anything yet");
    }
    let shown: Vec<_> = log.iter().map(Shown::of).collect();
    output::show(args.output, &shown, || shown.iter().map(text).collect())?;
    Ok(Exit::Done)
}

/// The cluster of a name, as the tree knows it or the history did.
async fn named(remote: &mut Remote, name: &str) -> anyhow::Result<ClusterId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let read = remote.engine.read().await?;
    let mut known: BTreeSet<ClusterId> =
        read.want.clusters.into_keys().chain(read.want.orphan_locks.into_keys()).collect();
    let is_named = |id: &&ClusterId| id.name().as_str() == name;
    if !known.iter().any(|id| is_named(&id)) {
        known.extend(remote.engine.log(NAMES_MAX, None).await?.into_iter().flat_map(|entry| entry.clusters));
    }
    let found: Vec<_> = known.iter().filter(is_named).collect();
    match &found[..] {
        [only] => Ok((*only).clone()),
        [] => {
            let names: Vec<_> = known.iter().map(|id| id.name().as_str()).collect();
            let hint = words::hint(name, names, "`ferrofleet history` shows all");
            Err(Usage::new(format!("the branch never had a cluster {name}"), hint).into())
        }
        several => {
            let same = several.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Err(Usage::new(format!("several clusters are named {name}"), format!("take one of {same}")).into())
        }
    }
}

impl<'a> Shown<'a> {
    fn of(entry: &'a LogEntry) -> Self {
        let LogEntry { id, time, author, title, reason, clusters, source, values, freed } = entry;
        Self { id: *id, time: *time, author, title, reason, clusters, source: *source, values, freed }
    }
}

fn text(entry: &Shown<'_>) -> String {
    let Shown { id, time, author, title, reason, clusters: _, source, values, freed } = entry;
    let time = time.strftime("%Y-%m-%d %H:%M");
    let author = author.split(" <").next().unwrap_or(author);
    let mut out = format!("{} {time}  {}\n", styles::accent(short(*id)), styles::bold(plain(title)));
    let from = source.map(|source| format!(", from {}", short(source))).unwrap_or_default();
    let _ = writeln!(out, "    {}", styles::dim(format!("{reason} by {}{from}", plain(author))));
    for line in values.iter() {
        let _ = writeln!(out, "    {}", plain(line));
    }
    for line in freed.iter() {
        let _ = writeln!(out, "    {} {}", styles::bad("freed"), plain(line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_says_what_why_and_from_what() {
        let entry = LogEntry {
            id: "1234567890123456789012345678901234567890".parse().unwrap(),
            time: Timestamp::from_second(1_790_000_000).unwrap(),
            author: "Ferrofleet <ferrofleet@localhost>".to_owned(),
            title: "Replace default.shop".to_owned(),
            reason: "replace".to_owned(),
            clusters: vec!["default.shop".parse().unwrap()],
            source: "abcdef7890123456789012345678901234567890".parse().ok(),
            values: vec!["default.shop: firewall a -> b".to_owned()],
            freed: vec!["default.shop firewall.1 a replaced".to_owned()],
        };
        let shown = text(&Shown::of(&entry));
        insta::assert_snapshot!(anstream::adapter::strip_str(&shown).to_string(), @r"
        1234567 2026-09-21 14:13  Replace default.shop
            replace by Ferrofleet, from abcdef7
            default.shop: firewall a -> b
            freed default.shop firewall.1 a replaced
        ");
    }
}
