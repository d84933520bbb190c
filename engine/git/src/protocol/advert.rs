//! What a server says first: its refs (versions 0 and 1), or only what it can do (version 2).

use super::WireError;
use super::pkt::PktReader;
use crate::Oid;
use std::io::Read;

/// A million refs of a hundred bytes; more is not a fleet's repository.
const ADVERT_BYTES_MAX: u64 = 128 << 20;

/// A server's capabilities, as it wrote them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities(Vec<String>);

impl Capabilities {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|c| c.split('=').next() == Some(name))
    }

    /// The words after `name=`.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().find_map(move |c| c.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().split(' ')
    }

    fn check_format(&self) -> Result<(), WireError> {
        match self.values("object-format").next() {
            None | Some("" | "sha1") => Ok(()),
            Some(other) => Err(WireError::malformed(format!("its objects are named by {other}, not by sha1"))),
        }
    }
}

/// The first message of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advert {
    /// The refs went to the visitor.
    Refs(Capabilities),
    V2(Capabilities),
}

/// Reads the advertisement up to its flush, giving each ref to `visit`. Peeled tags and `.have` lines are left out.
pub(crate) fn read(input: impl Read, mut visit: impl FnMut(&str, Oid)) -> Result<Advert, WireError> {
    let mut lines = PktReader::new(input, ADVERT_BYTES_MAX);
    let mut capabilities: Option<Capabilities> = None;
    while let Some(line) = lines.next()?.text() {
        if capabilities.is_none() && line == "version 2" {
            return Ok(Advert::V2(read_v2(&mut lines)?));
        }
        // Over HTTP `# service=git-upload-pack` and a flush come first; `link` takes them off.
        if capabilities.is_none() && line == "version 1" {
            continue;
        }
        let reference = match line.split_once('\0') {
            Some((reference, written)) => {
                let found = Capabilities(written.split(' ').filter(|c| !c.is_empty()).map(str::to_owned).collect());
                found.check_format()?;
                capabilities = Some(found);
                reference
            }
            None => line.as_str(),
        };
        capabilities.get_or_insert_default();
        if let Some((name, id)) = parse_ref(reference)? {
            visit(name, id);
        }
    }
    Ok(Advert::Refs(capabilities.unwrap_or_default()))
}

fn read_v2<R: Read>(lines: &mut PktReader<R>) -> Result<Capabilities, WireError> {
    let mut capabilities = Capabilities::default();
    while let Some(line) = lines.next()?.text() {
        capabilities.0.push(line);
    }
    capabilities.check_format()?;
    Ok(capabilities)
}

fn parse_ref(line: &str) -> Result<Option<(&str, Oid)>, WireError> {
    let (id, name) = line.split_once(' ').unwrap_or((line, ""));
    if id == "shallow" || id == "unshallow" {
        return Ok(None);
    }
    let id: Oid = id.parse().map_err(|_| WireError::malformed(format!("not a ref: {:?}", short(line))))?;
    let skipped = id.is_zero() || name == ".have" || name.ends_with("^{}") || name.is_empty();
    Ok((!skipped).then_some((name, id)))
}

/// As much of a line as goes into a message.
pub(super) fn short(line: &str) -> String {
    line.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::super::pkt::{flush, line};
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn message(lines: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        lines.iter().for_each(|l| line(&mut out, l));
        flush(&mut out);
        out
    }

    fn refs(lines: &[&str]) -> Result<(Vec<String>, Advert), WireError> {
        let mut seen = Vec::new();
        let advert = read(message(lines).as_slice(), |name, _| seen.push(name.to_owned()))?;
        Ok((seen, advert))
    }

    #[test]
    fn version_0_and_1() {
        let zero = "0".repeat(40);
        let first = format!("{A} refs/heads/main\0report-status side-band-64k object-format=sha1 agent=git/2.47\n");
        let tag = format!("{B} refs/tags/v1^{{}}\n");
        let have = format!("{B} .have\n");
        let (seen, advert) = refs(&["version 1\n", &first, &have, &format!("{B} refs/heads/x\n"), &tag]).unwrap();
        assert_eq!(seen, ["refs/heads/main", "refs/heads/x"]);
        let Advert::Refs(capabilities) = advert else { panic!("{advert:?}") };
        assert!(capabilities.has("side-band-64k") && capabilities.has("agent") && !capabilities.has("side-band"));
        let (seen, advert) = refs(&[&format!("{zero} capabilities^{{}}\0delete-refs")]).unwrap();
        assert!(seen.is_empty() && advert == Advert::Refs(Capabilities(vec!["delete-refs".to_owned()])));
        assert_eq!(refs(&[]).unwrap(), (vec![], Advert::Refs(Capabilities::default())));
    }

    #[test]
    fn version_2() {
        let (_, advert) =
            refs(&["version 2\n", "agent=git/2.47\n", "ls-refs=unborn\n", "fetch=shallow filter\n"]).unwrap();
        let Advert::V2(capabilities) = advert else { panic!("{advert:?}") };
        assert!(capabilities.has("ls-refs"));
        assert_eq!(capabilities.values("fetch").collect::<Vec<_>>(), ["shallow", "filter"]);
    }

    #[test]
    fn other_hashes_and_other_things_are_refused() {
        let sha256 = format!("{}{} refs/heads/main\0object-format=sha256", A, &B[..24]);
        assert!(matches!(refs(&[&sha256]), Err(WireError::Malformed(why)) if why.contains("sha256")));
        assert!(matches!(refs(&["version 2", "object-format=sha256"]), Err(WireError::Malformed(_))));
        assert!(matches!(refs(&["<html>"]), Err(WireError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn hostile_lines_end(lines in proptest::collection::vec("[0-9a-f \\x00a-z/=^{}]{0,60}", 0..8)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let _ = refs(&lines);
        }
    }
}
