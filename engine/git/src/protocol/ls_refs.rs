//! Version 2's `ls-refs` for one ref: the server answers with that ref alone, however many it has.

use super::WireError;
use super::advert::short;
use super::pkt::{PktReader, delim, flush, line};
use crate::Oid;
use std::io::Read;

/// Refs that begin with the asked one's name come too; a server that sends this many ignored the prefix.
const ANSWER_BYTES_MAX: u64 = 128 << 20;

/// The request. Without `object-format` and `agent`, which a server that was not asked first may not know.
pub(crate) fn request(full_ref: &str) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, "command=ls-refs\n");
    delim(&mut out);
    line(&mut out, &format!("ref-prefix {full_ref}\n"));
    flush(&mut out);
    out
}

/// The id of exactly that ref; None when the server has none. Says how many bytes of lines there were by reading all.
pub(crate) fn answer(input: impl Read, full_ref: &str) -> Result<Option<Oid>, WireError> {
    let mut lines = PktReader::new(input, ANSWER_BYTES_MAX);
    let mut found = None;
    while let Some(line) = lines.next()?.text() {
        let malformed = || WireError::malformed(format!("not an ls-refs answer: {:?}", short(&line)));
        let (id, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let name = rest.split(' ').next().unwrap_or(rest);
        if id == "unborn" {
            continue;
        }
        let id: Oid = id.parse().map_err(|_| malformed())?;
        if name == full_ref {
            found = Some(id);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_ref_counts() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let mut out = Vec::new();
        line(&mut out, &format!("{b} refs/heads/main-old\n"));
        line(&mut out, &format!("{a} refs/heads/main symref-target:refs/heads/x peeled:{b}\n"));
        flush(&mut out);
        assert_eq!(answer(out.as_slice(), "refs/heads/main").unwrap(), a.parse().ok());
        assert_eq!(answer(out.as_slice(), "refs/heads/mai").unwrap(), None);
        assert_eq!(answer(&b"0000"[..], "refs/heads/main").unwrap(), None);
        assert!(answer(&b"0008NAK\n"[..], "refs/heads/main").is_err());
        assert!(answer(&out[..out.len() - 4], "refs/heads/main").is_err(), "an answer that was cut is none");
    }

    #[test]
    fn the_request_is_small() {
        assert_eq!(request("refs/heads/main"), b"0014command=ls-refs\n0001001fref-prefix refs/heads/main\n0000");
    }
}
