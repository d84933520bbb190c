//! Answers: their bytes counted, their preamble taken off, their refusals put into words.

use crate::Error;
use crate::credentials::Secrets;
use crate::link::{Counters, Service};
use crate::protocol::WireError;
use crate::protocol::sideband::Words;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::time::Duration;
use ureq::BodyReader;
use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Response, StatusCode};

/// What is read of a refusal.
const REFUSAL_BYTES_MAX: u64 = 4096;
/// `# service=git-receive-pack` and its like.
const PREAMBLE_BYTES_MAX: usize = 64;

/// The body of an answer.
pub(super) struct Counted {
    reader: BodyReader<'static>,
    counters: Arc<Counters>,
}

impl Counted {
    pub(super) fn new(response: Response<ureq::Body>, counters: Arc<Counters>) -> Self {
        Self { reader: response.into_body().into_reader(), counters }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.counters.add_bytes(read as u64);
        Ok(read)
    }
}

/// Takes `# service=…` and its flush off; servers leave it out when they speak version 2.
pub(super) fn after_preamble<'a>(mut reader: Counted, service: Service) -> Result<Box<dyn Read + 'a>, WireError> {
    let mut start = [0; 4];
    reader.read_exact(&mut start)?;
    let preamble = format!("# service=git-{}\n", service.name());
    let length = format!("{:04x}", preamble.len() + 4);
    // Some servers leave the line feed out.
    let short = format!("{:04x}", preamble.len() + 3);
    if start != *length.as_bytes() && start != *short.as_bytes() {
        return Ok(Box::new(Cursor::new(start.to_vec()).chain(reader)));
    }
    let expected = if start == *length.as_bytes() { preamble.len() } else { preamble.len() - 1 };
    let mut line = [0; PREAMBLE_BYTES_MAX];
    let line = &mut line[..expected];
    reader.read_exact(line)?;
    if *line != preamble.as_bytes()[..expected] {
        // A ref's line of the same length.
        let read = [start.as_slice(), line].concat();
        return Ok(Box::new(Cursor::new(read).chain(reader)));
    }
    let mut flush = [0; 4];
    reader.read_exact(&mut flush)?;
    if flush != *b"0000" {
        return Err(WireError::malformed("no flush after the service's name"));
    }
    Ok(Box::new(reader))
}

/// What a status that is no success means.
pub(super) fn refused(remote: &str, secrets: &Secrets, response: Response<ureq::Body>) -> Error {
    let status = response.status();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok()?.trim().parse().ok())
        .map(|seconds: u64| Duration::from_secs(seconds.min(3600)));
    let words = secrets.redact(&words(response));
    let words = if words.is_empty() { status.to_string() } else { words };
    let remote = remote.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Auth { remote, words },
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::NotFound { remote, words },
        other => Error::Status { remote, status: other.as_u16(), words, retry_after },
    }
}

/// The beginning of a text; of pages and other things nothing.
fn words(response: Response<ureq::Body>) -> String {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_text = kind.is_empty() || kind.starts_with("text/plain") || kind.starts_with("application/json");
    if !is_text {
        return String::new();
    }
    let mut bytes = Vec::new();
    // What came is enough; an answer that breaks off has its status still.
    let _ = response.into_body().into_reader().take(REFUSAL_BYTES_MAX).read_to_end(&mut bytes);
    let mut words = Words::default();
    words.push(&bytes);
    words.text()
}
