//! `ferrofleet schema`: JSON Schemas of the documents, for editors and other programs.

use super::explain::named;
use crate::args::Format;
use crate::exit::Exit;
use crate::explain::Document;
use crate::output;
use anyhow::Context as _;
use clap::Args;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// JSON Schemas of the documents of a fleet repository
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet schema ClusterDefinition > clusterdefinition.json\n  \
    ferrofleet schema overlay -o yaml\n  \
    ferrofleet schema --out .schemas")]
pub(crate) struct SchemaArgs {
    /// A kind (cluster, policy, fleet, overlay, lock, or its whole name); all where absent
    #[arg(value_name = "KIND")]
    kind: Option<String>,
    /// Write files into this folder instead of printing
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// How it is shown; text is JSON, too
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(crate) fn schema(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let mut documents = Document::all();
    if let Some(kind) = &args.kind {
        documents = vec![named(&documents, kind)?.clone()];
    }
    match (&args.out, &documents[..]) {
        (Some(out), documents) => write(out, documents)?,
        (None, [document]) if args.kind.is_some() => show(args.output, document.schema())?,
        (None, documents) => {
            let all: Map<_, _> = documents.iter().map(|d| (file(d), d.schema().clone())).collect();
            show(args.output, &all.into())?;
        }
    }
    Ok(Exit::Done)
}

fn show(format: Format, schema: &Value) -> anyhow::Result<()> {
    match format {
        Format::Text | Format::Json => Ok(output::data(&fleet::init::text(schema))?),
        Format::Yaml => output::show(format, schema, String::new),
    }
}

/// As in `schemas/`.
fn file(document: &Document) -> String {
    format!("{}.json", document.kind().to_lowercase())
}

fn write(out: &Path, documents: &[Document]) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    for document in documents {
        let path = out.join(file(document));
        std::fs::write(&path, fleet::init::text(document.schema()))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    output::talk::note(&format!("wrote {} to {}", output::count(documents.len(), "schema"), out.display()));
    Ok(())
}
