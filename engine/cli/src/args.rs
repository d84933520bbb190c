//! The command line, and what several commands share of it. Flag > environment `FERROFLEET_*` > configuration file >
//! default; each command's own arguments stand beside the command.

use crate::commands::Command;
use crate::logs::LogArgs;
use clap::{Args, Parser, ValueEnum};
use model::ids::Label;
use std::path::PathBuf;
use std::time::Duration;

/// GitOps for fleets of Kubernetes clusters on metal-stack: `git push` is the user interface
#[derive(Debug, Parser)]
#[command(name = "ferrofleet", version, propagate_version = false, disable_help_subcommand = true)]
#[command(after_help = "Try `ferrofleet demo`: everything on this machine, nothing needed.\n\
    Options can be set in the environment, too: --cache-dir is FERROFLEET_CACHE_DIR, and so on.\n\
    Exit codes: 0 done, 1 error or incomplete, 2 changes pending (plan, diff, drift), 64 usage.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) logs: LogArgs,
}

/// How something that is read is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    Json,
    Yaml,
}

/// A fleet repository on a remote, and who we are to it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Repository")]
pub(crate) struct RepoArgs {
    /// The fleet repository: a path, or a URL with https, ssh or file
    #[arg(long, env = "FERROFLEET_REPO", value_name = "URL", hide_env = true)]
    pub(crate) repo: Option<String>,
    /// Its branch
    #[arg(long, env = "FERROFLEET_BRANCH", value_name = "BRANCH", default_value = "main", hide_env = true)]
    pub(crate) branch: String,
    /// Another repository that fleet.yaml may send its output to (`output.repo`), with the same credentials; repeatable
    #[arg(
        long = "output-repo",
        env = "FERROFLEET_OUTPUT_REPO",
        value_name = "URL",
        value_delimiter = ' ',
        hide_env = true
    )]
    pub(crate) output_repos: Vec<String>,
    /// Where repositories are cached; may be deleted at any time [default: $XDG_CACHE_HOME/ferrofleet]
    #[arg(long, env = "FERROFLEET_CACHE_DIR", value_name = "DIR", hide_env = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) git: GitArgs,
}

/// Credentials for the remote. Secrets come from files, never from the command line.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Credentials for the repository")]
pub(crate) struct GitArgs {
    /// User name for HTTPS; without one the password is sent as a bearer token
    #[arg(long, env = "FERROFLEET_GIT_USERNAME", value_name = "NAME", hide_env = true)]
    pub(crate) git_username: Option<String>,
    /// File with the password or token for HTTPS, read again at every try [default: $FERROFLEET_GIT_PASSWORD]
    #[arg(long, env = "FERROFLEET_GIT_PASSWORD_FILE", value_name = "FILE", hide_env = true)]
    pub(crate) git_password_file: Option<PathBuf>,
    /// Private key for SSH [default: the agent and the keys of ssh]
    #[arg(long, env = "FERROFLEET_GIT_SSH_KEY", value_name = "FILE", hide_env = true)]
    pub(crate) git_ssh_key: Option<PathBuf>,
    /// Known hosts for SSH; a missing entry is an error [default: ~/.ssh/known_hosts]
    #[arg(long, env = "FERROFLEET_GIT_KNOWN_HOSTS", value_name = "FILE", hide_env = true)]
    pub(crate) git_known_hosts: Option<PathBuf>,
    /// Certificates in PEM trusted for HTTPS in place of the system's
    #[arg(long, env = "FERROFLEET_GIT_CA_FILE", value_name = "FILE", hide_env = true)]
    pub(crate) git_ca_file: Option<PathBuf>,
}

/// Access to management clusters. To be flattened last: its heading would be that of what follows.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Management clusters")]
pub(crate) struct AccessArgs {
    /// Access to a management cluster, by its name in fleet.yaml: there is seen what a deletion waits for. Repeatable
    #[arg(
        long,
        env = "FERROFLEET_MANAGEMENT_KUBECONFIG",
        value_name = "NAME=FILE",
        value_delimiter = ' ',
        value_parser = named_kubeconfig,
        hide_env = true
    )]
    pub(crate) management_kubeconfig: Vec<(Label, PathBuf)>,
}

/// `NAME=FILE`.
fn named_kubeconfig(text: &str) -> Result<(Label, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("write it like mgmt-muc=mgmt.kubeconfig")?;
    Ok((Label::parse(name).map_err(|e| e.to_string())?, PathBuf::from(file)))
}

/// `30s`, `2m`, `1h30m`, `250ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let refused = || "a duration is written like 30s, 2m or 1h30m".to_owned();
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| refused())?;
    Duration::try_from(parsed).ok().filter(|d| !d.is_zero()).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command, those below others too, with its words.
    fn commands(of: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
        let below = |command: &clap::Command| {
            let words = format!("{words} {}", command.get_name());
            [vec![(words.clone(), command.clone())], commands(command, &words)].concat()
        };
        of.get_subcommands().flat_map(below).collect()
    }

    #[test]
    fn every_command_ends_its_help_with_examples_that_parse() {
        for (name, command) in commands(&Cli::command(), "ferrofleet") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(examples.lines().count() > 0, "{name}");
            for line in examples.lines().map(str::trim) {
                assert!(line.starts_with(&name), "{name}: {line}");
                // What a shell makes of the rest is not ours.
                let ours = line.split(['|', '>']).next().unwrap();
                if let Err(error) = Cli::try_parse_from(ours.split_whitespace()) {
                    panic!("{line}\n{error}");
                }
            }
        }
    }

    #[test]
    fn access_has_a_name_and_a_file() {
        let (name, file) = named_kubeconfig("mgmt-muc=a=b.kubeconfig").unwrap();
        assert_eq!((name.as_str(), file.to_str()), ("mgmt-muc", Some("a=b.kubeconfig")));
        assert!(named_kubeconfig("mgmt.kubeconfig").is_err() && named_kubeconfig("No Name=x").is_err());
    }

    #[test]
    fn durations_as_people_write_them() {
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "0s", "-1s", "5", "soon"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
