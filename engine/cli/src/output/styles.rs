//! The few styles of the output. Streams strip them where they are not wanted (no terminal, NO_COLOR).

use owo_colors::{OwoColorize as _, Style};
use std::fmt::Display;

pub(crate) fn bold(text: impl Display) -> String {
    text.bold().to_string()
}

pub(crate) fn dim(text: impl Display) -> String {
    text.dimmed().to_string()
}

pub(crate) fn good(text: impl Display) -> String {
    text.green().to_string()
}

pub(crate) fn bad(text: impl Display) -> String {
    text.style(Style::new().red().bold()).to_string()
}

pub(crate) fn warn(text: impl Display) -> String {
    text.style(Style::new().yellow().bold()).to_string()
}

pub(crate) fn accent(text: impl Display) -> String {
    text.cyan().to_string()
}

pub(crate) fn removed(text: impl Display) -> String {
    text.red().to_string()
}
