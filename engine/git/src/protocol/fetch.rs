//! Fetching: what we want, what we have, and the pack that comes back. One round: what we have is said at once.

use super::advert::{Capabilities, short};
use super::pkt::{Pkt, PktReader, delim, flush, line};
use super::sideband::{Words, demultiplex};
use super::{AGENT, WireError};
use crate::Oid;
use std::io::Read;

/// A fleet's whole history; what is larger is something else.
const PACK_BYTES_MAX: u64 = 4 << 30;

/// How the pack is framed in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    V2,
    Sideband,
    Plain,
}

/// Version 2's `fetch`; needs no knowledge of the server.
pub(crate) fn request_v2(want: Oid, have: &[Oid]) -> Vec<u8> {
    let mut out = Vec::new();
    line(&mut out, "command=fetch\n");
    delim(&mut out);
    line(&mut out, "thin-pack\n");
    line(&mut out, "no-progress\n");
    line(&mut out, "ofs-delta\n");
    line(&mut out, &format!("want {want}\n"));
    have.iter().for_each(|id| line(&mut out, &format!("have {id}\n")));
    line(&mut out, "done\n");
    flush(&mut out);
    out
}

/// The request of versions 0 and 1.
pub(crate) fn request_v0(capabilities: &Capabilities, want: Oid, have: &[Oid]) -> (Vec<u8>, Framing) {
    let known = ["multi_ack_detailed", "side-band-64k", "thin-pack", "no-progress", "ofs-delta"];
    let asked: Vec<&str> = known.into_iter().filter(|c| capabilities.has(c)).collect();
    let agent = if capabilities.has("agent") { format!(" agent={AGENT}") } else { String::new() };
    let mut out = Vec::new();
    line(&mut out, &format!("want {want} {}{agent}\n", asked.join(" ")));
    flush(&mut out);
    have.iter().for_each(|id| line(&mut out, &format!("have {id}\n")));
    line(&mut out, "done\n");
    let framing = if capabilities.has("side-band-64k") { Framing::Sideband } else { Framing::Plain };
    (out, framing)
}

/// Reads the answer and gives the pack's bytes to `pack`.
pub(crate) fn answer(
    input: impl Read,
    framing: Framing,
    mut pack: impl FnMut(&[u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut lines = PktReader::new(input, PACK_BYTES_MAX);
    match framing {
        Framing::V2 => to_the_packfile(&mut lines)?,
        Framing::Sideband | Framing::Plain => after_the_acks(&mut lines)?,
    }
    if framing == Framing::Plain {
        return plain(lines.into_inner(), pack);
    }
    demultiplex(&mut lines, &mut Words::default(), &mut pack)
}

/// Skips the sections before the pack.
fn to_the_packfile<R: Read>(lines: &mut PktReader<R>) -> Result<(), WireError> {
    loop {
        let Some(line) = lines.next()?.text() else {
            return Err(WireError::malformed("an answer without a pack"));
        };
        match line.as_str() {
            "packfile" => return Ok(()),
            "acknowledgments" | "shallow-info" | "wanted-refs" => while let Pkt::Data(_) = lines.next()? {},
            other => return Err(WireError::malformed(format!("section {:?}", short(other)))),
        }
    }
}

/// Versions 0 and 1 end their list of common commits with NAK, or with an ACK that says no more.
fn after_the_acks<R: Read>(lines: &mut PktReader<R>) -> Result<(), WireError> {
    loop {
        let Some(line) = lines.next()?.text() else {
            return Err(WireError::malformed("an answer without a pack"));
        };
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["NAK"] | ["ACK", _] => return Ok(()),
            ["ACK", _, _] => {}
            _ => return Err(WireError::malformed(format!("not an acknowledgment: {:?}", short(&line)))),
        }
    }
}

fn plain(mut input: impl Read, mut pack: impl FnMut(&[u8]) -> Result<(), WireError>) -> Result<(), WireError> {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = PACK_BYTES_MAX;
    loop {
        let read = input.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        left = left.checked_sub(read as u64).ok_or_else(|| WireError::malformed("the pack is longer than is read"))?;
        pack(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::pkt::data;
    use super::*;

    fn packed(bytes: &[u8], framing: Framing) -> Result<Vec<u8>, WireError> {
        let mut pack = Vec::new();
        answer(bytes, framing, |b| {
            pack.extend_from_slice(b);
            Ok(())
        })?;
        Ok(pack)
    }

    #[test]
    fn version_2_with_and_without_sections() {
        let mut out = Vec::new();
        line(&mut out, "acknowledgments\n");
        line(&mut out, "ready\n");
        delim(&mut out);
        line(&mut out, "packfile\n");
        data(&mut out, b"\x01PA");
        data(&mut out, b"\x02talk");
        data(&mut out, b"\x01CK");
        flush(&mut out);
        assert_eq!(packed(&out, Framing::V2).unwrap(), b"PACK");
        assert!(packed(&out[..out.len() - 4], Framing::V2).is_err(), "cut before the flush");
    }

    #[test]
    fn version_0() {
        let mut out = Vec::new();
        line(&mut out, &format!("ACK {} common\n", "a".repeat(40)));
        line(&mut out, &format!("ACK {}\n", "a".repeat(40)));
        data(&mut out, b"\x01PACK");
        flush(&mut out);
        assert_eq!(packed(&out, Framing::Sideband).unwrap(), b"PACK");
        assert_eq!(packed(b"0008NAK\nPACK", Framing::Plain).unwrap(), b"PACK");
        let mut failed = b"0008NAK\n".to_vec();
        data(&mut failed, b"\x03upload-pack: not our ref");
        assert!(
            matches!(packed(&failed, Framing::Sideband), Err(WireError::Remote(words)) if words.contains("not our ref"))
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_answers_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), which in 0..3) {
            let framing = [Framing::V2, Framing::Sideband, Framing::Plain][which as usize];
            let mut lines = Vec::new();
            data(&mut lines, &bytes);
            let _ = packed(&lines, framing);
            let _ = packed(&bytes, framing);
        }
    }
}
