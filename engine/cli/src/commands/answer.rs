//! What `ack` and `recover` share: who answers, and the commit that says so.

use crate::exit::{Exit, Usage};
use crate::output::clusters::short;
use crate::output::{self, plain, styles};
use crate::source::Remote;
use clap::Args;
use gitops::{Answer, Commit};
use std::process::Command;

/// Who answers. To be flattened before what has a heading.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct AuthorArgs {
    /// Who answers, as `Name <address>` [default: user.name and user.email of git]
    #[arg(long, env = "FERROFLEET_AUTHOR", value_name = "AUTHOR", hide_env = true)]
    author: Option<String>,
}

impl AuthorArgs {
    pub(super) fn author(&self) -> Result<git::Author, Usage> {
        match &self.author {
            Some(text) => parsed(text),
            None => configured(),
        }
    }
}

/// `Name <address>`.
fn parsed(text: &str) -> Result<git::Author, Usage> {
    let parts = text.strip_suffix('>').and_then(|text| text.split_once('<'));
    let clean = |part: &str| !part.is_empty() && !part.contains(['<', '>']) && !part.chars().any(char::is_control);
    match parts.map(|(name, email)| (name.trim(), email.trim())).filter(|(name, email)| clean(name) && clean(email)) {
        Some((name, email)) => Ok(git::Author { name: name.to_owned(), email: email.to_owned() }),
        None => Err(Usage::new(format!("`{text}` is no author"), "write it like `Ada <ada@example.com>`")),
    }
}

/// As the person's own commits have it: the repository here, else the person's configuration.
fn configured() -> Result<git::Author, Usage> {
    let asked = |key: &str| {
        let output = Command::new("git").args(["config", "--get", key]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    match (asked("user.name"), asked("user.email")) {
        (Some(name), Some(email)) => Ok(git::Author { name, email }),
        _ => Err(Usage::new(
            "git does not know who you are, and an answer names its author",
            "use --author 'Ada <ada@example.com>', or set user.name and user.email with `git config --global`",
        )),
    }
}

/// Commits the answer and says so.
pub(super) async fn give(remote: &mut Remote, answer: Answer, author: git::Author) -> anyhow::Result<Exit> {
    let Commit { id, title, .. } = remote.engine.answer(answer, author).await?;
    output::data(&format!("{} {}\n", styles::accent(short(id)), plain(&title)))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_has_a_name_and_an_address() {
        let ada = parsed("Ada Lovelace <ada@example.com>").unwrap();
        assert_eq!((ada.name.as_str(), ada.email.as_str()), ("Ada Lovelace", "ada@example.com"));
        for bad in ["", "Ada", "<ada@example.com>", "Ada <>", "Ada <a> <b>", "Ada\nFleet-Run: 1 <a@b>"] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }
}
