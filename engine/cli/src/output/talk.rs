//! Talk: what a person at a terminal is told beside the data, on stderr.

use super::{plain, styles};
use std::io::Write as _;

/// One line on stderr. When nobody listens there, there is nothing to be done about it.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// `error:` with everything that led to it.
pub(crate) fn error(error: &anyhow::Error) {
    say(&format!("{} {}", styles::bad("error:"), plain(&error.to_string())));
    let mut shown = error.to_string();
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        // Errors that quote their source would say it twice.
        if !shown.contains(&text) {
            say(&format!("  {} {}", styles::dim("because:"), plain(&text)));
        }
        shown = text;
    }
}

pub(crate) fn warning(text: &str) {
    say(&format!("{} {}", styles::warn("warning:"), plain(text)));
}

pub(crate) fn hint(text: &str) {
    say(&format!("{} {}", styles::accent("hint:"), text));
}

pub(crate) fn note(text: &str) {
    say(&plain(text));
}

/// A mistake of ours.
pub(crate) fn bug(text: &str) {
    say(&format!("{} {}", styles::bad("bug:"), plain(text)));
    hint("this is a mistake in ferrofleet; please report it with the place above");
}
