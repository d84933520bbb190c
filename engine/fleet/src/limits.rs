//! What one fleet repository may ask of this process. Each limit has a message of its own.

/// Bytes of one document: a definition has some hundreds.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;
/// Nesting of one document: the deepest field of a schema is at 8.
pub(crate) const DEPTH_MAX: usize = 64;
/// Values of one document, after its aliases were followed.
pub(crate) const NODES_MAX: usize = 50_000;
/// `*alias` in one document.
pub(crate) const ALIASES_MAX: usize = 500;
/// Definitions of one fleet: twice the largest one that is benchmarked.
pub(crate) const DEFINITIONS_MAX: usize = 10_000;
/// Documents of `policies/`.
pub(crate) const POLICIES_MAX: usize = 200;
/// Documents of `overlays/`: each is looked at for each cluster.
pub(crate) const OVERLAYS_MAX: usize = 200;
/// Problems that are told of one file; nobody reads more.
pub(crate) const PROBLEMS_MAX: usize = 100;
/// Characters of a line that is shown.
pub(crate) const LINE_CHARS_MAX: usize = 200;
/// Characters of a message: a list of what may be chosen is the longest of them.
pub(crate) const MESSAGE_CHARS_MAX: usize = 1000;
/// Letters of a wrong name that is compared with right ones: no right one is longer.
pub(crate) const NAME_CHARS_MAX: usize = 100;
