//! Pushing one ref: the command names the old id, so the server compares and swaps; its report says what happened.

use super::advert::{Capabilities, short};
use super::pkt::{Pkt, PktReader, flush, line};
use super::sideband::{Words, demultiplex};
use super::{AGENT, WireError};
use crate::Oid;
use std::io::Read;

/// A report of one ref is a few hundred bytes; hooks talk in band 2.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
const REPORT_BYTES_MAX: usize = 1 << 20;

/// One ref from `old` to `new`; zero means absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) old: Oid,
    pub(crate) new: Oid,
    pub(crate) full_ref: &'a str,
}

/// The command and its flush; the pack follows, unless the ref is deleted.
pub(crate) fn request(capabilities: &Capabilities, command: Command<'_>) -> Vec<u8> {
    let known = ["report-status", "side-band-64k", "quiet", "delete-refs", "ofs-delta"];
    let asked: Vec<&str> = known.into_iter().filter(|c| capabilities.has(c)).collect();
    let agent = if capabilities.has("agent") { format!(" agent={AGENT}") } else { String::new() };
    let mut out = Vec::new();
    let Command { old, new, full_ref } = command;
    line(&mut out, &format!("{old} {new} {full_ref}\0 {}{agent}", asked.join(" ")));
    flush(&mut out);
    out
}

/// What the server reported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Done,
    /// Not done, in the server's words: the reason, and what it or its hooks said besides.
    Refused {
        reason: String,
        words: String,
    },
    /// The answer ended or broke before it said; the words that came.
    None {
        words: String,
        error: Option<String>,
    },
}

/// Reads the whole answer. Hooks may go on after the report, so what fails after it does not unsay it.
pub(crate) fn answer(input: impl Read, capabilities: &Capabilities, full_ref: &str) -> (Report, Option<WireError>) {
    let mut words = Words::default();
    let mut report = Vec::new();
    let ended = if capabilities.has("side-band-64k") {
        let mut lines = PktReader::new(input, ANSWER_BYTES_MAX);
        demultiplex(&mut lines, &mut words, |bytes| {
            if report.len() + bytes.len() > REPORT_BYTES_MAX {
                return Err(WireError::malformed("the report is longer than is read"));
            }
            report.extend_from_slice(bytes);
            Ok(())
        })
    } else {
        input.take(REPORT_BYTES_MAX as u64).read_to_end(&mut report).map(|_| ()).map_err(WireError::from)
    };
    let error = ended.err();
    let parsed = parse(&report, full_ref);
    let report = match parsed {
        Ok(Some(Ok(()))) => Report::Done,
        Ok(Some(Err(reason))) => Report::Refused { reason, words: words.text() },
        Ok(None) => Report::None { words: words.text(), error: None },
        Err(why) => Report::None { words: words.text(), error: Some(why) },
    };
    (report, error)
}

/// Some(Ok) for `ok`, Some(Err) for `ng` or a failed unpack, None when the report says nothing of the ref.
fn parse(report: &[u8], full_ref: &str) -> Result<Option<Result<(), String>>, String> {
    let mut lines = PktReader::new(report, REPORT_BYTES_MAX as u64);
    let mut unpack = None;
    loop {
        let line = match lines.next() {
            Ok(pkt @ Pkt::Data(_)) => pkt.text().unwrap_or_default(),
            Ok(Pkt::Flush | Pkt::Delim | Pkt::End) => break,
            Err(WireError::Malformed(why) | WireError::Remote(why)) => return Err(why),
            // It ended without a flush: what was said counts.
            Err(WireError::Io(_)) => break,
        };
        let mut parts = line.splitn(3, ' ');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("unpack"), Some("ok"), None) => {}
            (Some("unpack"), _, _) => unpack = Some(line.trim_start_matches("unpack ").to_owned()),
            (Some("ok"), Some(name), _) if name == full_ref => return Ok(Some(Ok(()))),
            (Some("ng"), Some(name), reason) if name == full_ref => {
                let reason = reason.unwrap_or("refused").to_owned();
                return Ok(Some(Err(unpack.map_or(reason.clone(), |u| format!("{reason} ({u})")))));
            }
            // Options of a newer report belong to the line before.
            (Some("option"), _, _) => {}
            _ => return Err(format!("not a report: {:?}", short(&line))),
        }
    }
    Ok(unpack.map(Err))
}

#[cfg(test)]
mod tests {
    use super::super::pkt::data;
    use super::*;

    fn capabilities(words: &str) -> Capabilities {
        let advert = format!("{} refs/heads/x\0{words}", "a".repeat(40));
        let mut out = Vec::new();
        line(&mut out, &advert);
        flush(&mut out);
        match super::super::advert::read(out.as_slice(), |_, _| {}).unwrap() {
            super::super::advert::Advert::Refs(c) => c,
            other @ super::super::advert::Advert::V2(_) => panic!("{other:?}"),
        }
    }

    fn reported(lines: &[&str], talk: &[u8]) -> Report {
        let mut report = Vec::new();
        lines.iter().for_each(|l| line(&mut report, l));
        flush(&mut report);
        let mut out = Vec::new();
        data(&mut out, &[&[2], talk].concat());
        // In two pieces, as sidebands do.
        data(&mut out, &[&[1], &report[..3]].concat());
        data(&mut out, &[&[1], &report[3..]].concat());
        flush(&mut out);
        answer(out.as_slice(), &capabilities("side-band-64k"), "refs/heads/main").0
    }

    #[test]
    fn reports() {
        assert_eq!(reported(&["unpack ok\n", "ok refs/heads/main\n"], b""), Report::Done);
        let refused =
            |reason: &str, words: &str| Report::Refused { reason: reason.to_owned(), words: words.to_owned() };
        let hook = reported(&["unpack ok\n", "ng refs/heads/main pre-receive hook declined\n"], b"no Friday deploys\n");
        assert_eq!(hook, refused("pre-receive hook declined", "no Friday deploys"));
        let unpack = reported(&["unpack index-pack abnormal exit\n", "ng refs/heads/main unpacker error\n"], b"");
        assert_eq!(unpack, refused("unpacker error (index-pack abnormal exit)", ""));
        let other = reported(&["unpack ok\n", "ok refs/heads/other\n"], b"");
        assert!(matches!(other, Report::None { error: Some(_), .. }), "{other:?}");
        assert_eq!(reported(&["unpack ok\n"], b"x"), Report::None { words: "x".to_owned(), error: None });
    }

    #[test]
    fn a_cut_after_the_report_does_not_unsay_it() {
        let mut report = Vec::new();
        line(&mut report, "unpack ok\n");
        line(&mut report, "ok refs/heads/main\n");
        let mut out = Vec::new();
        data(&mut out, &[&[1], report.as_slice()].concat());
        let (found, error) = answer(out.as_slice(), &capabilities("side-band-64k"), "refs/heads/main");
        assert_eq!(found, Report::Done);
        assert!(error.is_some());
        let (found, _) = answer(&out[..20], &capabilities("side-band-64k"), "refs/heads/main");
        assert!(matches!(found, Report::None { .. }));
        let (found, _) = answer(report.as_slice(), &capabilities("report-status"), "refs/heads/main");
        assert_eq!(found, Report::Done);
    }

    #[test]
    fn the_command() {
        let new: Oid = "b".repeat(40).parse().unwrap();
        let known = capabilities("report-status side-band-64k atomic agent=x");
        let out = request(&known, Command { old: Oid::ZERO, new, full_ref: "refs/x" });
        let text = String::from_utf8(out).unwrap();
        let zero = "0".repeat(40);
        assert_eq!(
            &text[4..text.len() - 4],
            format!("{zero} {new} refs/x\0 report-status side-band-64k agent={AGENT}")
        );
    }

    proptest::proptest! {
        #[test]
        fn hostile_reports_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut framed = Vec::new();
            data(&mut framed, &[&[1], bytes.as_slice()].concat());
            let _ = answer(framed.as_slice(), &capabilities("side-band-64k"), "refs/heads/main");
            let _ = answer(bytes.as_slice(), &capabilities("report-status"), "refs/heads/main");
        }
    }
}
