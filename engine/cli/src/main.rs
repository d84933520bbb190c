//! The binary `ferrofleet`: arguments, output, wiring. Decides nothing about fleets itself.
#![forbid(unsafe_code)]

mod access;
mod args;
mod commands;
mod compare;
mod config;
mod exit;
mod explain;
mod fleets;
mod kube;
mod life;
mod live;
mod logs;
mod output;
mod rendered;
mod serve;
mod source;
mod wiring;
mod words;
mod worktree;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    logs::hook_panics();
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    logs::start(&cli.logs, cli.command.is_lasting());
    match cli.command.run() {
        Ok(exit) => exit,
        Err(error) => exit::failed(&error),
    }
    .into()
}

/// `--help` and `--version` are data on stdout; everything else is a mistake on the command line.
fn usage(error: &clap::Error) -> exit::Exit {
    // Nobody is left to tell when stdout and stderr are closed.
    let _ = error.print();
    if error.use_stderr() { exit::Exit::Usage } else { exit::Exit::Done }
}
