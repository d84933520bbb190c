//! `ferrofleet completions SHELL`.

use crate::args::Cli;
use crate::exit::Exit;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Completions for a shell, to be sourced or installed
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet completions bash > ~/.local/share/bash-completion/completions/ferrofleet\n  \
    ferrofleet completions zsh")]
pub(crate) struct CompletionsArgs {
    shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ferrofleet", &mut script);
    crate::output::data(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
