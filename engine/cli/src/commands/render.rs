//! `ferrofleet render`: manifests from definitions and locks, offline.

use crate::exit::{Exit, Usage};
use crate::output::{self, findings, talk};
use crate::wiring::SystemClock;
use crate::worktree;
use anyhow::Context as _;
use clap::Args;
use fleet::Loaded;
use model::{Clock as _, ClusterId, Tree, Want, Wanted};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Output files are some kilobytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Render manifests from definitions and locks; offline, to stdout or into a folder
#[derive(Args, Debug)]
pub(crate) struct RenderArgs {
    /// A work tree of a fleet repository
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Only this cluster: its name, or <namespace>.<name>
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Write files below this folder, named as in the fleet repository
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn render(args: &RenderArgs) -> anyhow::Result<Exit> {
    let tree = worktree::tree(&args.dir)?;
    let Loaded { want, findings } = fleet::load(&tree, &mut fleet::Memo::default(), SystemClock.now());
    let chosen = chosen(&want, args.cluster.as_deref())?;
    let told: Vec<_> = findings
        .into_iter()
        .filter(|f| f.is_error() && f.cluster.as_ref().is_none_or(|id| chosen.iter().any(|w| w.id == *id)))
        .collect();
    if !told.is_empty() {
        talk::say(findings::text(&told).trim_end());
    }
    let mut exit = if told.is_empty() { Exit::Done } else { Exit::Failed };
    let mut files = BTreeMap::new();
    for wanted in chosen {
        match rendered(wanted, &tree) {
            Ok(found) => files.extend(found),
            Err(why) => {
                talk::warning(&format!("{} is not rendered: {why}", wanted.id));
                exit = Exit::Failed;
            }
        }
    }
    match &args.out {
        None => output::data(&stream(&files)?)?,
        Some(out) => write(out, &files)?,
    }
    Ok(exit)
}

/// The clusters that were asked for: all, or the one of a name.
fn chosen<'a>(want: &'a Want, name: Option<&str>) -> Result<Vec<&'a Wanted>, Usage> {
    let Some(name) = name else { return Ok(want.clusters.values().collect()) };
    let is_named = |id: &ClusterId| id.to_string() == name || id.name().as_str() == name;
    let found: Vec<_> = want.clusters.values().filter(|w| is_named(&w.id)).collect();
    match found.len() {
        1 => Ok(found),
        0 => Err(Usage::new(format!("there is no cluster {name} with a readable definition"), known(want))),
        _ => Err(Usage::new(format!("several clusters are named {name}"), known(want))),
    }
}

fn known(want: &Want) -> String {
    let ids: Vec<_> = want.clusters.keys().map(ToString::to_string).collect();
    format!("clusters here: {}", ids.join(", "))
}

fn rendered(wanted: &Wanted, tree: &Tree) -> Result<Vec<(String, Vec<u8>)>, String> {
    if let Some(blocked) = wanted.blocked.as_ref().filter(|b| b.reason != model::Reason::Paused) {
        return Err(format!("{}: {}", blocked.reason, blocked.message));
    }
    let lock = wanted.lock.as_deref().ok_or("it has no lock yet; the engine writes it")?;
    if !render::complete(wanted, lock) {
        return Err("its lock does not name everything yet".to_owned());
    }
    let committed = |path: &str| tree.entry(path).and_then(|entry| tree.read(&entry.id, FILE_BYTES_MAX).ok());
    let rendered = render::cluster(wanted, lock, &committed);
    if !rendered.outdated.is_empty() {
        let kept = rendered.outdated.join(", ");
        talk::warning(&format!("{}: kept as committed, because a change would replace machines: {kept}", wanted.id));
    }
    let mut files = rendered.files;
    files.push(render::namespace(&wanted.identity.management_cluster, &wanted.identity.namespace));
    Ok(files)
}

/// One YAML stream with the path before each file.
fn stream(files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<String> {
    let mut out = String::new();
    for (path, bytes) in files {
        let text = std::str::from_utf8(bytes)?;
        let _ = write!(out, "---\n# Source: {path}\n{}", text.strip_prefix("---\n").unwrap_or(text));
    }
    Ok(out)
}

fn write(out: &Path, files: &BTreeMap<String, Vec<u8>>) -> anyhow::Result<()> {
    for (path, bytes) in files {
        let path = out.join(path);
        let cannot = || format!("{} cannot be written", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(cannot)?;
        }
        std::fs::write(&path, bytes).with_context(cannot)?;
    }
    talk::note(&format!("wrote {} below {}", output::count(files.len(), "file"), out.display()));
    Ok(())
}
