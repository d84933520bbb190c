//! Exit codes: scripts and CI branch on them, so each has one meaning.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error, findings, or incomplete.
    Failed,
    /// Changes are pending; only `plan` and `diff` say so.
    Pending,
    /// The command line or what it names cannot be used (sysexits' EX_USAGE).
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Pending => 2,
            Exit::Usage => 64,
        })
    }
}

/// What was asked for cannot be asked for, with what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Usage {
    what: String,
    hint: String,
}

impl Usage {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

/// What was asked for makes no sense as things stand, with what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Refused {
    what: String,
    hint: String,
}

impl Refused {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    #[cfg(test)]
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

/// Says on stderr why a command failed, and gives its code. A reader that went away (`| head`) is no failure.
pub(crate) fn failed(error: &anyhow::Error) -> Exit {
    if error
        .chain()
        .filter_map(|e| e.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    {
        return Exit::Done;
    }
    crate::output::talk::error(error);
    if let Some(refused) = error.downcast_ref::<Refused>() {
        crate::output::talk::hint(&refused.hint);
    }
    match error.downcast_ref::<Usage>() {
        Some(usage) => {
            crate::output::talk::hint(usage.hint());
            Exit::Usage
        }
        None => Exit::Failed,
    }
}
