//! `ferrofleet schema`: JSON Schemas of the documents, for editors and other programs.

use crate::exit::{Exit, Usage};
use crate::output;
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;

/// JSON Schemas of the documents of a fleet repository
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Fleet, ClusterPolicy, ClusterDefinition or ClusterLock; all where absent
    #[arg(value_name = "KIND", ignore_case = true)]
    kind: Option<String>,
    /// Write files into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn schema(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let mut schemas = fleet::schemas();
    if let Some(kind) = &args.kind {
        let file = format!("{}.json", kind.to_lowercase());
        schemas.retain(|(name, _)| *name == file);
        if schemas.is_empty() {
            let hint = "kinds are Fleet, ClusterPolicy, ClusterDefinition and ClusterLock";
            return Err(Usage::new(format!("there is no kind {kind}"), hint).into());
        }
    }
    match (&args.out, &schemas[..]) {
        (Some(out), schemas) => {
            std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
            for (name, schema) in schemas {
                let path = out.join(name);
                std::fs::write(&path, fleet::init::text(schema))
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
            output::talk::note(&format!("wrote {} to {}", output::count(schemas.len(), "schema"), out.display()));
        }
        (None, [(_, schema)]) => output::data(&fleet::init::text(schema))?,
        (None, schemas) => {
            let all: serde_json::Map<_, _> = schemas.iter().cloned().collect();
            output::data(&fleet::init::text(&all.into()))?;
        }
    }
    Ok(Exit::Done)
}
