//! Logs: by `tracing`, on stderr, and nothing else there but talk. Panics say where, never with which values (I7).

use clap::{Args, ValueEnum};
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs")]
pub(crate) struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or a filter like `info,ferrofleet_gitops=debug`; `info` while an
    /// engine runs, else `warn`
    #[arg(long = "log", global = true, env = "FERROFLEET_LOG", value_name = "LEVEL", hide_env = true, value_parser = filter)]
    level: Option<String>,
    /// How logs look
    #[arg(
        long = "log-format",
        global = true,
        env = "FERROFLEET_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "pretty",
        hide_env = true
    )]
    format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line each, for people
    Pretty,
    /// An object each, for machines
    Json,
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// What a command that ends logs: it says itself what went wrong, once, and the client of Kubernetes at every request.
const BRIEF: &str = "warn,kube_client=off";

/// `lasting`: the command stays up, and what it does is of interest.
pub(crate) fn start(args: &LogArgs, lasting: bool) {
    let level = args.level.as_deref().unwrap_or(if lasting { "info" } else { BRIEF });
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(level)).with_writer(std::io::stderr);
    match args.format {
        LogFormat::Pretty => {
            let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            builder.with_ansi(colours).with_target(false).compact().init();
        }
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// A panic's formatted message may hold any value; a literal holds none.
pub(crate) fn hook_panics() {
    std::panic::set_hook(Box::new(|info| {
        let what = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(values are not shown)");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        let backtrace = std::backtrace::Backtrace::capture();
        crate::output::talk::bug(&format!("thread {name} panicked at {place}: {what}"));
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            crate::output::talk::note(&backtrace.to_string());
        }
    }));
}
