//! `ferrofleet version`.

use crate::args::Format;
use crate::exit::Exit;
use crate::output;
use clap::Args;
use serde::Serialize;

/// The version of this program
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet version\n  \
    ferrofleet version -o json")]
pub(crate) struct VersionArgs {
    /// How it is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    /// Of the documents of a fleet repository.
    api_version: &'static str,
}

pub(crate) fn version(args: &VersionArgs) -> anyhow::Result<Exit> {
    let version = Version { version: env!("CARGO_PKG_VERSION"), api_version: model::API_VERSION };
    output::show(args.output, &version, || format!("ferrofleet {}\n", version.version))?;
    Ok(Exit::Done)
}
