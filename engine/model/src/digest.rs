//! Digests: of documents for locks, of content for object names, of bytes as Git names them.

use crate::BlobId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// `sha256:<hex>` of some content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(bytes))))
    }

    /// Of a value by its JSON, keys in the order of the type.
    pub fn of<T: Serialize>(value: &T) -> Self {
        let json = serde_json::to_vec(value).unwrap_or_else(|e| format!("unserializable: {e}").into_bytes());
        Self::of_bytes(&json)
    }

    /// As a trailer writes it; None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        (hex.len() == 64 && hex.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The first eight hex digits, for names by content.
    pub fn short(&self) -> &str {
        self.0.get(7..15).unwrap_or(&self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id Git gives to these bytes as a blob.
pub fn blob_id(bytes: &[u8]) -> BlobId {
    use sha1::Sha1;
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    BlobId(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_id_is_what_git_says() {
        // `printf hello | git hash-object --stdin`
        assert_eq!(blob_id(b"hello").to_string(), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
    }

    #[test]
    fn a_digest_has_a_short_form() {
        let digest = Digest::of_bytes(b"hello");
        assert_eq!(digest.as_str().len(), 71);
        assert_eq!(digest.short(), "2cf24dba");
    }
}
