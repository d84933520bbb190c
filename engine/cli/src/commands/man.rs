//! `ferrofleet man`: manual pages, one per command.

use crate::args::Cli;
use crate::exit::{Exit, Usage};
use crate::{output, words};
use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use std::path::{Path, PathBuf};

/// Manual pages: of one command to stdout, or of all into a folder
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet man plan | man -l -\n  \
    ferrofleet man --out ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The page of this command; of ferrofleet itself where absent
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Option<String>,
    /// Write every page into this folder, as ferrofleet-plan.1
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let all = pages();
    match (&args.out, &args.command) {
        (Some(out), _) => write(out, &all)?,
        (None, command) => {
            let wanted = command.as_ref().map_or_else(|| "ferrofleet".to_owned(), |name| format!("ferrofleet-{name}"));
            let page = all.iter().find(|page| name(page) == wanted).ok_or_else(|| {
                let wrong = command.as_deref().unwrap_or_default();
                let known = all.iter().filter_map(|page| name(page).strip_prefix("ferrofleet-"));
                Usage::new(format!("there is no command {wrong}"), words::hint(wrong, known, "see `ferrofleet --help`"))
            })?;
            output::data(&String::from_utf8(roff(page)?)?)?;
        }
    }
    Ok(Exit::Done)
}

/// The program and every command, each with the name of its page.
fn pages() -> Vec<clap::Command> {
    let mut root = Cli::command();
    root.build();
    let below = root.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let below: Vec<_> = below.map(|command| command.version(env!("CARGO_PKG_VERSION"))).collect();
    [root].into_iter().chain(below).collect()
}

/// `ferrofleet-plan`.
fn name(page: &clap::Command) -> &str {
    page.get_display_name().unwrap_or_else(|| page.get_name())
}

fn roff(page: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(page.clone())
        .source(format!("ferrofleet {}", env!("CARGO_PKG_VERSION")))
        .manual("Ferrofleet")
        .render(&mut text)?;
    Ok(text)
}

fn write(out: &Path, pages: &[clap::Command]) -> anyhow::Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    for page in pages {
        let path = out.join(format!("{}.1", name(page)));
        std::fs::write(&path, roff(page)?).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    output::talk::note(&format!("wrote {} to {}", output::count(pages.len(), "page"), out.display()));
    Ok(())
}
