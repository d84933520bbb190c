//! Version 2's `ls-refs` for some refs by name: the server answers with these alone, however many it has.

use super::WireError;
use super::advert::short;
use super::pkt::{PktReader, delim, flush, line};
use crate::Oid;
use std::io::Read;

/// Refs that begin with the asked one's name come too; a server that sends this many ignored the prefix.
const ANSWER_BYTES_MAX: u64 = 128 << 20;

/// The request. Without `object-format` and `agent`, which a server that was not asked first may not know.
pub(crate) fn request(full_refs: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, "command=ls-refs\n");
    delim(&mut out);
    full_refs.iter().for_each(|name| line(&mut out, &format!("ref-prefix {name}\n")));
    flush(&mut out);
    out
}

/// The ids of exactly these refs, in their order; None where the server has none. Reads the whole answer.
pub(crate) fn answer(input: impl Read, full_refs: &[&str]) -> Result<Vec<Option<Oid>>, WireError> {
    let mut lines = PktReader::new(input, ANSWER_BYTES_MAX);
    let mut found = vec![None; full_refs.len()];
    while let Some(line) = lines.next()?.text() {
        let malformed = || WireError::malformed(format!("not an ls-refs answer: {:?}", short(&line)));
        let (id, rest) = line.split_once(' ').ok_or_else(malformed)?;
        let name = rest.split(' ').next().unwrap_or(rest);
        if id == "unborn" {
            continue;
        }
        let id: Oid = id.parse().map_err(|_| malformed())?;
        if let Some(at) = full_refs.iter().position(|asked| *asked == name) {
            found[at] = Some(id);
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
        let one = |bytes: &[u8], name: &str| answer(bytes, &[name]).map(|found| found[0]);
        assert_eq!(one(&out, "refs/heads/main").unwrap(), a.parse().ok());
        assert_eq!(one(&out, "refs/heads/mai").unwrap(), None);
        assert_eq!(one(b"0000", "refs/heads/main").unwrap(), None);
        assert!(one(b"0008NAK\n", "refs/heads/main").is_err());
        assert!(one(&out[..out.len() - 4], "refs/heads/main").is_err(), "an answer that was cut is none");
        let both = answer(out.as_slice(), &["refs/heads/none", "refs/heads/main-old"]).unwrap();
        assert_eq!(both, [None, b.parse().ok()]);
    }

    #[test]
    fn the_request_is_small() {
        assert_eq!(request(&["refs/heads/main"]), b"0014command=ls-refs\n0001001fref-prefix refs/heads/main\n0000");
    }
}
