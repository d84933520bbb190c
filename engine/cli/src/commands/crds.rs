//! `ferrofleet crds`: what a management cluster needs before the provider.

use crate::args::Format;
use crate::exit::Exit;
use crate::output;
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// The provider's kinds and the policy of machine templates, to be installed before it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet crds | kubectl apply --server-side -f -\n  \
    ferrofleet crds | kubectl apply --server-side --force-conflicts -f -    # over those of CAPMS\n  \
    ferrofleet crds --out deploy/crds")]
pub(crate) struct CrdsArgs {
    /// Write files into this folder instead of printing
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// How it is shown; text is YAML, too, and JSON is one List
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(crate) fn crds(args: &CrdsArgs) -> anyhow::Result<Exit> {
    match (&args.out, args.output) {
        (Some(out), _) => write(out)?,
        (None, Format::Text | Format::Yaml) => output::data(&provider::yaml())?,
        (None, Format::Json) => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": provider::objects()});
            output::show(Format::Json, &list, String::new)?;
        }
    }
    Ok(Exit::Done)
}

fn write(out: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    let files = provider::files();
    for (name, text) in &files {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    output::talk::note(&format!("wrote {} to {}", output::count(files.len(), "file"), out.display()));
    Ok(())
}
