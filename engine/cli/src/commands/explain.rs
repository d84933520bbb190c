//! `ferrofleet explain`: what a field of a document means, in the words of its schema.

use crate::args::Format;
use crate::exit::{Exit, Usage};
use crate::explain::{Document, Unknown};
use crate::output::{self, table::Table};
use crate::words;
use clap::Args;
use serde_json::json;

/// What a field of a document means: type, default, allowed values, fields below it
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet explain\n  \
    ferrofleet explain cluster.spec.pools.size\n  \
    ferrofleet explain policy.spec --recursive")]
pub(crate) struct ExplainArgs {
    /// A kind (cluster, policy, fleet, overlay, lock, or its whole name) and a path in it; the kinds where absent
    #[arg(value_name = "KIND.PATH")]
    path: Option<String>,
    /// Everything below the field, as a tree
    #[arg(long)]
    recursive: bool,
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

pub(crate) fn explain(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let documents = Document::all();
    let Some(path) = &args.path else {
        kinds(&documents, args.output)?;
        return Ok(Exit::Done);
    };
    let mut parts = path.split('.');
    let kind = parts.next().unwrap_or_default();
    let document = named(&documents, kind)?;
    let parts: Vec<&str> = parts.collect();
    let explained = document.explain(&parts, args.recursive).map_err(|unknown| no_field(document, unknown))?;
    output::show(args.output, &explained, || explained.text(args.recursive))?;
    Ok(Exit::Done)
}

/// The document of a kind, by any of its names.
pub(crate) fn named<'a>(documents: &'a [Document], kind: &str) -> Result<&'a Document, Usage> {
    documents.iter().find(|document| document.is_named(kind)).ok_or_else(|| {
        let known: Vec<_> =
            documents.iter().flat_map(|d| [d.short_names(), vec![d.kind().to_owned()]].concat()).collect();
        let hint = words::hint(kind, known.iter().map(String::as_str), "`ferrofleet explain` lists the kinds");
        Usage::new(format!("there is no kind {kind}"), hint)
    })
}

fn no_field(document: &Document, unknown: Unknown) -> Usage {
    let Unknown { above, part, known } = unknown;
    let parent = if above.is_empty() { document.kind().to_owned() } else { format!("{}.{above}", document.kind()) };
    let hint = match known.is_empty() {
        true => format!("{parent} is a value without fields"),
        false => {
            words::hint(&part, known.iter().map(String::as_str), &format!("`ferrofleet explain {parent}` lists them"))
        }
    };
    Usage::new(format!("{parent} has no field {part}"), hint)
}

fn kinds(documents: &[Document], format: Format) -> anyhow::Result<()> {
    let data: Vec<_> = documents.iter().map(|d| json!({"kind": d.kind(), "description": d.about()})).collect();
    output::show(format, &data, || {
        let mut table = Table::new(["KIND", "SHORT", "DESCRIPTION"]).elastic("DESCRIPTION");
        for document in documents {
            let short = document.short_names().swap_remove(0);
            table.row([document.kind().to_owned(), short, document.about().replace('\n', " ")]);
        }
        table.text()
    })
}
