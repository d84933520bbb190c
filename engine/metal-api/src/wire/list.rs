//! A JSON array taken apart as it arrives: one element is in memory at a time, `null` is the empty list.

use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// More than this in one element is no machine, network or address: a machine is 5 to 15 KB.
pub const ELEMENT_BYTES_MAX: usize = 4 << 20;

/// Why a body is no list of `T`.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("the answer is no JSON array")]
    NoArray,
    #[error("the answer ended inside of the array")]
    Truncated,
    #[error("element {index} has more than {ELEMENT_BYTES_MAX} bytes")]
    TooLong { index: usize },
    #[error("element {index}: {source}")]
    Element { index: usize, source: serde_json::Error },
}

/// Feeds on chunks, collects `T`s. Only element borders are found here; each element is checked by serde_json.
#[derive(Debug)]
pub struct ListDecoder<T> {
    at: At,
    element: Vec<u8>,
    depth: usize,
    string: InString,
    items: Vec<T>,
    of: PhantomData<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Start,
    /// Inside `null`: so many letters seen.
    Null(usize),
    /// After `[` or `,`.
    Between {
        first: bool,
    },
    Element,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InString {
    No,
    Yes,
    Escaped,
}

impl<T: DeserializeOwned> Default for ListDecoder<T> {
    fn default() -> Self {
        Self { at: At::Start, element: Vec::new(), depth: 0, string: InString::No, items: Vec::new(), of: PhantomData }
    }
}

impl<T: DeserializeOwned> ListDecoder<T> {
    /// Takes the next piece of the body.
    pub fn push(&mut self, mut chunk: &[u8]) -> Result<(), ListError> {
        while let Some((&byte, rest)) = chunk.split_first() {
            let plain = self.plain_run(chunk);
            if plain == 0 {
                self.byte(byte)?;
                chunk = rest;
            } else {
                self.keep(&chunk[..plain])?;
                chunk = &chunk[plain..];
            }
        }
        Ok(())
    }

    /// The list, once the body is over.
    pub fn finish(self) -> Result<Vec<T>, ListError> {
        match self.at {
            At::End | At::Null(4) => Ok(self.items),
            At::Start => Err(ListError::NoArray),
            At::Null(_) | At::Between { .. } | At::Element => Err(ListError::Truncated),
        }
    }

    fn byte(&mut self, byte: u8) -> Result<(), ListError> {
        match self.at {
            At::Start | At::End | At::Between { .. } if byte.is_ascii_whitespace() => Ok(()),
            At::Null(4) if byte.is_ascii_whitespace() => Ok(()),
            At::Start if byte == b'[' => self.go(At::Between { first: true }),
            At::Start if byte == b'n' => self.go(At::Null(1)),
            At::Null(seen) if seen < 4 && byte == b"null"[seen] => self.go(At::Null(seen + 1)),
            At::Start | At::End | At::Null(_) => Err(ListError::NoArray),
            At::Between { first: true } if byte == b']' => self.go(At::End),
            At::Between { .. } => {
                self.at = At::Element;
                self.element_byte(byte)
            }
            At::Element => self.element_byte(byte),
        }
    }

    /// How many bytes from here on are no border of anything: most of a machine is such.
    fn plain_run(&self, chunk: &[u8]) -> usize {
        let border: fn(&u8) -> bool = match (self.at, self.string) {
            (At::Element, InString::No) => |b| matches!(b, b'"' | b',' | b'{' | b'}' | b'[' | b']'),
            (At::Element, InString::Yes) => |b| matches!(b, b'"' | b'\\'),
            (At::Element, InString::Escaped) | (At::Start | At::Null(_) | At::Between { .. } | At::End, _) => return 0,
        };
        chunk.iter().position(border).unwrap_or(chunk.len())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ListError> {
        if self.element.len() + bytes.len() > ELEMENT_BYTES_MAX {
            return Err(ListError::TooLong { index: self.items.len() });
        }
        self.element.extend_from_slice(bytes);
        Ok(())
    }

    fn go(&mut self, at: At) -> Result<(), ListError> {
        self.at = at;
        Ok(())
    }

    fn element_byte(&mut self, byte: u8) -> Result<(), ListError> {
        match (self.string, byte) {
            (InString::Escaped, _) => self.string = InString::Yes,
            (InString::Yes, b'\\') => self.string = InString::Escaped,
            (InString::Yes, b'"') => self.string = InString::No,
            (InString::Yes, _) => {}
            (InString::No, b'"') => self.string = InString::Yes,
            (InString::No, b'{' | b'[') => self.depth += 1,
            (InString::No, b',') if self.depth == 0 => return self.end_element(At::Between { first: false }),
            (InString::No, b']') if self.depth == 0 => return self.end_element(At::End),
            (InString::No, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (InString::No, _) => {}
        }
        self.keep(&[byte])
    }

    fn end_element(&mut self, at: At) -> Result<(), ListError> {
        let item = serde_json::from_slice(&self.element)
            .map_err(|source| ListError::Element { index: self.items.len(), source })?;
        self.items.push(item);
        self.element.clear();
        self.go(at)
    }
}

#[cfg(test)]
mod tests;
