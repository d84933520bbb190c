//! From status and body to the class of an error: the retry table of metal-api.md section 8.
//!
//! This is the one place that reads the server's words; everybody else matches on [`Error`].

use super::{Call, Error, Scarce};
use crate::wire::ErrorText;
use std::time::Duration;

/// What is kept of a server's words: enough for its longest messages, too little for a page of HTML.
const TEXT_CHARS_MAX: usize = 600;

/// Words of v0.44.1, and what they mean. Answered in full, so that nothing is unknown whatever the status.
const SCARCE: [(&str, Scarce); 6] = [
    ("no ips left", Scarce::Addresses),
    ("no prefix found", Scarce::Prefixes),
    ("cannot allocate free child prefix", Scarce::Prefixes),
    ("no machine available", Scarce::Machines),
    ("too many parallel machine allocations", Scarce::AllocationLock),
    ("project quota for", Scarce::Quota),
];

/// Free of a network with addresses, of an address that a machine still has.
const IN_USE: [&str; 3] = ["has ips", " in use", "ip with machine scope"];

/// Our `X-Date` was older than the server's window.
const SKEW: [&str; 2] = ["timestamp in your header is too old", "unknown timestamp"];

/// The error of an answer that is no success. `after` is its Retry-After.
pub(crate) fn classify(call: Call, status: u16, body: &ErrorText, after: Option<Duration>) -> Error {
    let text = tidy(body.message());
    let typed = matches!(body, ErrorText::Typed(_));
    let scarce = SCARCE.iter().find(|(words, _)| typed && text.contains(words));
    match (status, scarce) {
        (401 | 403, _) => Error::Denied { call, skew: SKEW.iter().any(|words| text.contains(words)), text },
        // A 503 of something in between may have come after the request went on: only metal-api's own says that nothing
        // was done.
        (503, _) if !typed && call.op.is_write() => failed(call, format!("status {status}: {text}")),
        (429 | 503, _) => Error::Busy { call, status, after, text },
        (400..=599, Some((_, what))) => Error::Exhausted { call, what: *what, text },
        // `404: Page Not Found` is a wrong base path: no proof that anything is gone (R15).
        (404, _) if typed && !text.starts_with("404: ") => Error::NotFound { call, text },
        (409 | 412, _) if typed => Error::Conflict { call, text },
        (400 | 422, _) if typed && text.contains("already allocated") => Error::Conflict { call, text },
        (400 | 422, _) if typed && call.op.is_free() && IN_USE.iter().any(|words| text.contains(words)) => {
            Error::InUse { call, text }
        }
        (408 | 500..=599, _) => failed(call, format!("status {status}: {text}")),
        (400..=499, _) if !matches!(body, ErrorText::Raw(_)) => Error::Invalid { call, status, text },
        _ => Error::Malformed { call, status, text },
    }
}

/// A call without a usable answer: unknown when it may have written.
pub(crate) fn failed(call: Call, text: String) -> Error {
    if call.op.is_write() { Error::Unknown { call, text } } else { Error::Unreachable { call, text } }
}

/// A server's words for logs, status and commits: one line, no control characters, bounded.
pub(crate) fn tidy(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.trim().chars().map(printable).take(TEXT_CHARS_MAX + 1).collect();
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Op, wire::HttpError};

    fn of(op: Op, status: u16, message: &str) -> Error {
        let body = ErrorText::Typed(HttpError { statuscode: status, message: message.into() });
        classify(Call::new(op), status, &body, None)
    }

    /// Operation, status, the server's words, the class, whether the outcome is unknown, whether later may help.
    #[rustfmt::skip]
    const TABLE: &[(Op, u16, &str, &str, bool, bool)] = &[
        (Op::NetworkAllocate, 400, "projectid should not be empty", "invalid", false, false),
        (Op::NetworkAllocate, 404, "NotFound no network found", "not_found", false, false),
        (Op::NetworkAllocate, 422, "cannot allocate free child prefix in ipam: no prefix found", "exhausted", false, true),
        (Op::NetworkAllocate, 500, "Internal database is gone", "unknown", true, true),
        (Op::NetworkAllocate, 502, "", "unknown", true, true),
        (Op::NetworkAllocate, 504, "", "unknown", true, true),
        (Op::NetworkAllocate, 408, "", "unknown", true, true),
        (Op::NetworkAllocate, 503, "", "busy", false, true),
        (Op::NetworkAllocate, 429, "slow down", "busy", false, true),
        (Op::NetworkFind, 500, "Internal database is gone", "unreachable", false, true),
        (Op::IpAllocate, 500, "Internal cannot allocate free ip in ipam, no ips left", "exhausted", false, true),
        (Op::IpAllocate, 409, "Conflict ip already allocated", "conflict", false, true),
        (Op::IpAllocate, 422, "specific ip not contained in any of the defined prefixes", "invalid", false, false),
        (Op::FirewallAllocate, 422, "no machine available", "exhausted", false, true),
        (Op::FirewallAllocate, 422, "too many parallel machine allocations taking place, try again later", "exhausted", false, true),
        (Op::FirewallAllocate, 422, "machine \"m\" already allocated", "conflict", false, true),
        (Op::FirewallAllocate, 422, "project quota for machines reached max:1", "exhausted", false, false),
        (Op::FirewallAllocate, 400, "NotFound no image for id:x found:y", "invalid", false, false),
        (Op::FirewallAllocate, 409, "Conflict x: the entity was changed from another, please retry", "conflict", false, true),
        (Op::NetworkFree, 422, "prefix 10.0.0.0/22 has ips, deletion not possible", "in_use", false, true),
        (Op::NetworkFree, 404, "NotFound no network with id \"x\" found", "not_found", false, false),
        (Op::IpFree, 400, "ip with machine scope can not be deleted", "in_use", false, true),
        (Op::MachineFree, 422, "machine is locked", "invalid", false, false),
        (Op::NetworkAllocate, 422, "the name is in use", "invalid", false, false),
        (Op::ProjectGet, 404, "404: Page Not Found", "invalid", false, false),
        (Op::ProjectGet, 405, "405: Method Not Allowed", "invalid", false, false),
        (Op::ProjectGet, 403, "Wrong HMAC found", "denied", false, false),
        (Op::ProjectGet, 401, "x", "denied", false, false),
    ];

    #[test]
    fn the_retry_table() {
        for (op, status, message, code, unknown, later) in TABLE {
            let error = of(*op, *status, message);
            let found = (error.code(), error.outcome_unknown(), error.is_retryable_later());
            assert_eq!(found, (*code, *unknown, *later), "{op} {status} {message}");
            assert!(error.to_string().contains(message) && error.text().contains(message), "{error}");
        }
    }

    #[test]
    fn a_denial_names_the_clock_and_takes_bare_strings() {
        let old = of(Op::IpFind, 403, "the timestamp in your header is too old: \"2024-01-02T03:04:05Z\"");
        assert!(matches!(old, Error::Denied { skew: true, .. }), "{old}");
        assert!(old.to_string().contains("clocks differ"));
        let bare = classify(Call::new(Op::IpFind), 403, &ErrorText::parse(br#""tenant  not allowed""#), None);
        assert!(matches!(&bare, Error::Denied { skew: false, text, .. } if text == "tenant  not allowed"), "{bare}");
    }

    #[test]
    fn r15_a_proxy_proves_nothing() {
        let page = ErrorText::Raw("<html>nothing here</html>".into());
        for status in [302, 400, 404, 409, 422] {
            let error = classify(Call::new(Op::MachineFind), status, &page, None);
            assert_eq!(error.code(), "malformed", "{status}");
        }
        let write = classify(Call::new(Op::MachineFree), 404, &page, None);
        assert!(write.outcome_unknown());
    }

    #[test]
    fn words_are_one_bounded_line() {
        assert_eq!(tidy(" a\n\u{1b}[31mb\r\n"), "a  [31mb");
        let long = tidy(&"ü".repeat(5000));
        assert_eq!(long.chars().count(), TEXT_CHARS_MAX + 1);
    }
}
