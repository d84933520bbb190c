//! Files before and after: how many lines, and which.

use crate::output::diff::{self, Counts};
use gitops::FileChange;
use std::borrow::Cow;

/// What a commit does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Create,
    Write,
    Remove,
}

pub(super) fn kind(change: &FileChange) -> Kind {
    match (&change.before, &change.after) {
        (None, Some(_)) => Kind::Create,
        (Some(_), None) => Kind::Remove,
        (Some(_), Some(_)) | (None, None) => Kind::Write,
    }
}

pub(super) fn counts(change: &FileChange) -> Counts {
    let (before, after) = texts(change);
    diff::counts(&before, &after)
}

/// Hunks of what differs.
pub(super) fn unified(change: &FileChange) -> String {
    let (before, after) = texts(change);
    diff::unified(&before, &after)
}

/// The two lines that name the sides of a file's hunks.
pub(super) fn head(change: &FileChange) -> String {
    let side = |prefix: &str, bytes: &Option<Vec<u8>>| match bytes {
        Some(_) => format!("{prefix}/{}", change.path),
        None => "/dev/null".to_owned(),
    };
    format!("--- {}\n+++ {}\n", side("a", &change.before), side("b", &change.after))
}

fn texts(change: &FileChange) -> (Cow<'_, str>, Cow<'_, str>) {
    let text = |bytes: &'_ Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
        None => Cow::Borrowed(""),
    };
    (text(&change.before), text(&change.after))
}
