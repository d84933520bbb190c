//! Multiplexed answers: band 1 is data, band 2 is talk for people, band 3 is the last word of a failure.

use super::WireError;
use super::pkt::{Pkt, PktReader};
use std::io::Read;

/// The end of what a server or its hooks said, in bytes.
const WORDS_BYTES_MAX: usize = 4096;

/// Keeps the last few KiB of a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Words(Vec<u8>);

impl Words {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let over = self.0.len().saturating_sub(WORDS_BYTES_MAX);
        self.0.drain(..over);
    }

    /// Lines without the progress that a carriage return overwrote, without escapes and other control characters.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let lines = text.lines().map(|l| l.rsplit('\r').find(|part| !part.trim().is_empty()).unwrap_or_default());
        let clean = lines.map(|l| l.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>());
        clean.map(|l| l.trim_end().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
    }
}

/// Gives band 1 to `data` up to the flush; returns whether there was one (else the connection ended).
pub(crate) fn demultiplex<R: Read>(
    lines: &mut PktReader<R>,
    words: &mut Words,
    mut data: impl FnMut(&[u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    loop {
        match lines.next()? {
            Pkt::Flush | Pkt::End => return Ok(()),
            Pkt::Delim => return Err(WireError::malformed("a delimiter within a pack")),
            Pkt::Data([1, bytes @ ..]) => data(bytes)?,
            Pkt::Data([2, bytes @ ..]) => words.push(bytes),
            Pkt::Data([3, bytes @ ..]) => {
                words.push(bytes);
                return Err(WireError::Remote(words.text()));
            }
            // A keep-alive of old servers.
            Pkt::Data([]) => {}
            Pkt::Data([band, ..]) => return Err(WireError::malformed(format!("band {band}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_clean_and_short() {
        let mut words = Words::default();
        words.push(b"Resolving: 10%\rResolving: 100%\n\x1b[31mno\x1b[0m entry\r\n\n");
        assert_eq!(words.text(), "Resolving: 100%\n[31mno[0m entry");
        words.push(&[b'x'; 10_000]);
        assert_eq!(words.text().len(), WORDS_BYTES_MAX);
    }
}
