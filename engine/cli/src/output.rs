//! What people and machines read. Data goes to stdout, talk to stderr; colours are stripped where no terminal reads.

pub(crate) mod clusters;
pub(crate) mod diff;
pub(crate) mod findings;
pub(crate) mod plan;
pub(crate) mod status;
pub(crate) mod styles;
pub(crate) mod table;
pub(crate) mod talk;

use crate::args::Format;
use serde::Serialize;
use std::io::{IsTerminal as _, Write};

/// Writes data to stdout, and says so when that fails.
pub(crate) fn data(text: &str) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A value as JSON or YAML; `text` where people read.
pub(crate) fn show<T: Serialize>(format: Format, value: &T, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    match format {
        Format::Text => data(&text())?,
        Format::Json => {
            // Streamed: a plan of a thousand clusters is not built as one text first.
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
            writeln!(out)?;
            out.flush()?;
        }
        Format::Yaml => data(&serde_yaml::to_string(value)?)?,
    }
    Ok(())
}

/// How wide the terminal is that reads stdout; None where no terminal does.
pub(crate) fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    stdout.is_terminal().then(|| terminal_size::terminal_size_of(stdout).map_or(80, |(width, _)| width.0.into()))
}

/// Words in lines of at most `max` characters; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Text of others for a terminal: control characters, escape sequences among them, are shown and do nothing.
pub(crate) fn plain(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return text.into();
    }
    let shown = |c: char| match c {
        '\t' => " ".to_owned(),
        '\n' => "\n".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect::<String>().into()
}

/// `1 cluster`, `2 clusters`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_others_do_nothing() {
        assert_eq!(plain("a\u{1b}[2Jb\tc"), "a\\u{1b}[2Jb c");
        assert_eq!(plain("grüße"), "grüße");
    }
}
