//! One document from its bytes: typed at once, and explained only when that fails.

use crate::explain::explain;
use crate::limits::{ALIASES_MAX, DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX};
use crate::rules::{FILE_TOO_LARGE, NOT_UTF8, Rule, UNREADABLE};
use crate::schema::Kind;
use crate::yaml::Mark;
use model::lock::ClusterTombstone;
use model::overlay::LabelSelector;
use model::tree::ReadError;
use model::{BlobId, ClusterDefinition, ClusterLock, ClusterPolicy, Fleet, Overlay, Tree};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// A kind of document.
pub(crate) trait Readable: DeserializeOwned {
    const KIND: Kind;
}

impl Readable for Fleet {
    const KIND: Kind = Kind::Fleet;
}

impl Readable for ClusterPolicy {
    const KIND: Kind = Kind::Policy;
}

impl Readable for Overlay {
    const KIND: Kind = Kind::Overlay;
}

impl Readable for ClusterDefinition {
    const KIND: Kind = Kind::Definition;
}

impl Readable for ClusterLock {
    const KIND: Kind = Kind::Lock;
}

impl Readable for ClusterTombstone {
    const KIND: Kind = Kind::Tombstone;
}

/// A document, or why it is none.
#[derive(Debug)]
pub(crate) enum Parsed<T> {
    Good(Arc<T>),
    Broken(Arc<Broken>),
}

impl<T> Clone for Parsed<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Good(document) => Self::Good(document.clone()),
            Self::Broken(broken) => Self::Broken(broken.clone()),
        }
    }
}

impl<T> Parsed<T> {
    /// Whether the bytes could not be had at all, which may be better the next time.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Good(_) => false,
            Self::Broken(broken) => broken.problems.iter().any(|p| p.rule == UNREADABLE),
        }
    }
}

/// What is wrong with one file, whatever its path is.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    pub(crate) problems: Vec<Problem>,
    /// What it would have been called, where that much could be read.
    pub(crate) name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) stage: Option<String>,
    /// Whom an overlay would be for, where that much could be read.
    pub(crate) selector: Option<LabelSelector>,
    /// An overlay that says that it is not to be used.
    pub(crate) disabled: bool,
}

/// One thing that is wrong inside a file.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) rule: &'static Rule,
    pub(crate) mark: Mark,
    /// The text of the line, as it is shown.
    pub(crate) text: String,
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) mend: String,
}

impl Problem {
    /// Of the whole file.
    fn whole(rule: &'static Rule, message: impl Into<String>, mend: &str) -> Self {
        let (message, mend) = (message.into(), mend.to_owned());
        Self { rule, mark: Mark::default(), text: String::new(), field: String::new(), message, mend }
    }
}

pub(crate) fn read<T: Readable>(tree: &Tree, id: &BlobId) -> Parsed<T> {
    let bytes = match tree.read(id, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(ReadError::TooLarge { bytes, max }) => {
            let message = format!("{bytes} bytes; a document has at most {max}, and this one was not read");
            return broken(Problem::whole(
                FILE_TOO_LARGE,
                message,
                "a definition has some hundred bytes: is this the right file?",
            ));
        }
        Err(error @ ReadError::Unreadable { .. }) => {
            return broken(Problem::whole(UNREADABLE, error.to_string(), "check the repository with `git fsck`"));
        }
    };
    match text(&bytes) {
        Ok(text) => parse(text),
        Err(problem) => broken(problem),
    }
}

fn broken<T>(problem: Problem) -> Parsed<T> {
    Parsed::Broken(Arc::new(Broken { problems: vec![problem], ..Broken::default() }))
}

fn parse<T: Readable>(text: &str) -> Parsed<T> {
    match serde_saphyr::from_str_with_options::<T>(text, options()) {
        Ok(document) => Parsed::Good(Arc::new(document)),
        Err(error) => Parsed::Broken(Arc::new(explain(T::KIND, text, &error))),
    }
}

/// The text of a file, without a byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let start = good.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let shown = String::from_utf8_lossy(bytes[start..].split(|b| *b == b'\n').next().unwrap_or_default());
        let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
        let what = bytes.get(error.valid_up_to()).map_or_else(String::new, |b| format!("byte 0x{b:02x} "));
        Problem {
            mark: Mark::new(line, column, 1),
            text: crate::place::shown(&shown),
            ..Problem::whole(NOT_UTF8, format!("{what}is not UTF-8"), "save the file as UTF-8")
        }
    })
}

fn options() -> serde_saphyr::Options {
    let aliases = serde_saphyr::alias_limits! {
        max_total_replayed_events: NODES_MAX,
        max_replay_stack_depth: DEPTH_MAX,
    };
    let budget = serde_saphyr::budget! {
        max_reader_input_bytes: Some(FILE_BYTES_MAX),
        max_events: 2 * NODES_MAX,
        max_nodes: NODES_MAX,
        max_depth: DEPTH_MAX,
        max_aliases: ALIASES_MAX,
        max_anchors: ALIASES_MAX,
        max_documents: 1,
        max_total_scalar_bytes: FILE_BYTES_MAX,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: aliases,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}
