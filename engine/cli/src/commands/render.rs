//! `ferrofleet render`: manifests from definitions and locks, offline.

use crate::args::Format;
use crate::exit::Exit;
use crate::output::{self, talk};
use crate::rendered::Rendered;
use crate::source::Fleet;
use crate::worktree;
use anyhow::Context as _;
use clap::Args;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Render manifests from definitions and locks; offline, to stdout or into a folder
///
/// Without --out: objects as kubectl takes them, in YAML with the path before each file, or as a list in JSON.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet render --cluster shop\n  \
    ferrofleet render --cluster shop | kubectl apply --dry-run=server -f -\n  \
    ferrofleet render -o json | jq '.[].kind'\n  \
    ferrofleet render --out /tmp/fleet")]
pub(crate) struct RenderArgs {
    /// A work tree of a fleet repository
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Only this cluster: its name, or <namespace>.<name>
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Write files below this folder, named as in the fleet repository
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// How objects are shown; text is YAML, too
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(crate) fn render(args: &RenderArgs) -> anyhow::Result<Exit> {
    let fleet = Fleet::of(worktree::tree(&args.dir)?);
    let rendered = Rendered::of(&fleet, &fleet.chosen(args.cluster.as_deref())?);
    match (&args.out, args.output) {
        (Some(out), _) => write(out, &rendered.files)?,
        (None, Format::Json) => output::show(Format::Json, &rendered.objects()?, String::new)?,
        (None, Format::Text | Format::Yaml) => output::data(&stream(&rendered)?)?,
    }
    Ok(if rendered.complete { Exit::Done } else { Exit::Failed })
}

/// One YAML stream with the path before each file.
fn stream(rendered: &Rendered) -> anyhow::Result<String> {
    let mut out = String::new();
    for (path, bytes) in rendered.manifests() {
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
