//! Pkt-lines: four hex digits of length, then that many bytes less four; 0000, 0001 and 0002 are marks.

use super::WireError;
use std::io::{self, Read};

/// The longest line that the protocol knows, its length digits included.
const LINE_BYTES_MAX: usize = 65_520;

/// One line, borrowed from the reader's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pkt<'a> {
    Data(&'a [u8]),
    /// 0000: the end of a message, or of a list.
    Flush,
    /// 0001: the next section.
    Delim,
    /// 0002: the end of a stateless answer.
    End,
}

impl Pkt<'_> {
    /// The line as text, without its line feed; lossy where it is no UTF-8.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Data(bytes) => {
                let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            Self::Flush | Self::Delim | Self::End => None,
        }
    }
}

/// Reads pkt-lines; an `ERR` line is an error wherever it stands.
pub(crate) struct PktReader<R> {
    input: R,
    line: Vec<u8>,
    /// What is still read, in bytes.
    left: u64,
}

impl<R: Read> PktReader<R> {
    /// Reads at most `bytes_max` in all.
    pub(crate) fn new(input: R, bytes_max: u64) -> Self {
        Self { input, line: Vec::new(), left: bytes_max }
    }

    pub(crate) fn next(&mut self) -> Result<Pkt<'_>, WireError> {
        let mut digits = [0; 4];
        self.input.read_exact(&mut digits)?;
        let length = length(digits)?;
        let length = match length {
            0 => return Ok(Pkt::Flush),
            1 => return Ok(Pkt::Delim),
            2 => return Ok(Pkt::End),
            3 => return Err(WireError::malformed("a line of length 3")),
            length => length - 4,
        };
        let after = self.left.checked_sub(length as u64 + 4);
        self.left = after.ok_or_else(|| WireError::malformed("the answer is longer than is read"))?;
        self.line.resize(length, 0);
        self.input.read_exact(&mut self.line)?;
        if let Some(words) = self.line.strip_prefix(b"ERR ") {
            return Err(WireError::Remote(String::from_utf8_lossy(words).trim().to_owned()));
        }
        Ok(Pkt::Data(&self.line))
    }

    /// What follows the lines, unread.
    pub(crate) fn into_inner(self) -> R {
        self.input
    }
}

fn length(digits: [u8; 4]) -> Result<usize, WireError> {
    let malformed = || WireError::malformed(format!("{:?} is no line length", String::from_utf8_lossy(&digits)));
    let mut bytes = [0; 2];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| malformed())?;
    let length = usize::from(u16::from_be_bytes(bytes));
    if length > LINE_BYTES_MAX { Err(malformed()) } else { Ok(length) }
}

/// Appends one line.
pub(crate) fn line(out: &mut Vec<u8>, text: &str) {
    data(out, text.as_bytes());
}

/// Appends one line of bytes; they are ours and short.
pub(crate) fn data(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() + 4 <= LINE_BYTES_MAX);
    out.extend_from_slice(format!("{:04x}", bytes.len() + 4).as_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) fn flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

pub(crate) fn delim(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0001");
}

/// Whether the connection ended where an answer was due.
pub(crate) fn is_end(error: &WireError) -> bool {
    matches!(error, WireError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<String>, WireError> {
        let mut reader = PktReader::new(bytes, 1 << 20);
        let mut lines = Vec::new();
        loop {
            match reader.next() {
                Ok(pkt) => lines.push(pkt.text().unwrap_or_else(|| format!("{pkt:?}"))),
                Err(error) if is_end(&error) => return Ok(lines),
                Err(error) => return Err(error),
            }
        }
    }

    #[test]
    fn lines_and_marks() {
        let mut out = Vec::new();
        line(&mut out, "hello\n");
        delim(&mut out);
        line(&mut out, "");
        flush(&mut out);
        out.extend_from_slice(b"0002");
        assert_eq!(out, b"000ahello\n0001000400000002");
        assert_eq!(all(&out).unwrap(), ["hello", "Delim", "", "Flush", "End"]);
    }

    #[test]
    fn what_is_not_the_protocol() {
        for bad in [&b"0003"[..], b"zzzz", b"fff1", b"+123", b"<htm"] {
            assert!(matches!(all(bad), Err(WireError::Malformed(_))), "{bad:?}");
        }
        assert!(matches!(all(b"0010ERR go away\n"), Err(WireError::Remote(words)) if words == "go away"));
        let mut small = PktReader::new(&b"0009hello"[..], 8);
        assert!(matches!(small.next(), Err(WireError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn hostile_input_ends(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let _ = all(&bytes);
        }

        #[test]
        fn hostile_lengths_end(text in "[0-9a-f]{0,64}") {
            let _ = all(text.as_bytes());
        }
    }
}
