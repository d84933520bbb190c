//! Image ids, and which image one means: with a patch part the exact one, without it the newest of that minor.

use std::{cmp::Ordering, collections::BTreeMap};

use metal_api::wire::Image;

/// An image id taken apart: `<os>-<version>`, the os may contain `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageVersion {
    pub(crate) os: String,
    pub(crate) version: Version,
}

/// Three numbers; missing ones are 0, leading zeros do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u64, u64, u64);

/// What a filesystem layout says about versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionRule {
    Any,
    Compared(&'static str, Version),
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<u64> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        match parts[..] {
            [major] => Some(Self(major, 0, 0)),
            [major, minor] => Some(Self(major, minor, 0)),
            [major, minor, patch] => Some(Self(major, minor, patch)),
            _ => None,
        }
    }

    /// A version with a patch part is exact, one without stands for its minor's newest.
    fn stands_for(self, other: Self) -> bool {
        if self.2 > 0 { self == other } else { (self.0, self.1) == (other.0, other.1) }
    }
}

impl ImageVersion {
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (os, version) = id.rsplit_once('-')?;
        let version = Version::parse(version)?;
        (!os.is_empty()).then(|| Self { os: os.to_owned(), version })
    }
}

impl VersionRule {
    const OPERATORS: [&'static str; 6] = [">=", "<=", ">", "<", "=", "~"];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "*" {
            return Some(Self::Any);
        }
        let operator = Self::OPERATORS.into_iter().find(|operator| text.starts_with(operator));
        let version = Version::parse(text.trim_start_matches(operator.unwrap_or_default()).trim())?;
        Some(Self::Compared(operator.unwrap_or("="), version))
    }

    pub(crate) fn admits(self, version: Version) -> bool {
        let Self::Compared(operator, bound) = self else { return true };
        match (operator, version.cmp(&bound)) {
            ("~", _) => (version.0, version.1) == (bound.0, bound.1) && version >= bound,
            (">=", order) => order != Ordering::Less,
            ("<=", order) => order != Ordering::Greater,
            (">", order) => order == Ordering::Greater,
            ("<", order) => order == Ordering::Less,
            (_, order) => order == Ordering::Equal,
        }
    }
}

/// Every image an id stands for, newest first.
pub(crate) fn query<'a>(images: &'a BTreeMap<String, Image>, id: &str) -> Vec<&'a Image> {
    let Some(wanted) = ImageVersion::parse(id) else { return Vec::new() };
    let mut found: Vec<(Version, &Image)> = images
        .values()
        .filter_map(|image| Some((ImageVersion::parse(&image.id)?, image)))
        .filter(|(known, _)| known.os == wanted.os && wanted.version.stands_for(known.version))
        .map(|(known, image)| (known.version, image))
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    found.into_iter().map(|(_, image)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &str, ids: &[&str], found: Option<&str>) {
        let image = |id: &&str| (id.to_string(), Image { id: id.to_string(), ..Image::default() });
        let images = ids.iter().map(image).collect();
        assert_eq!(query(&images, id).first().map(|image| image.id.as_str()), found, "{id}");
    }

    #[test]
    fn a_shorthand_is_the_newest_patch() {
        let ids = ["ubuntu-24.4.20260601", "ubuntu-24.4.20260701", "ubuntu-24.10.20270101", "capms-ubuntu-1.34.1"];
        check("ubuntu-24.4", &ids, Some("ubuntu-24.4.20260701"));
        check("ubuntu-24.04", &ids, Some("ubuntu-24.4.20260701"));
        check("ubuntu-24.4.20260601", &ids, Some("ubuntu-24.4.20260601"));
        check("ubuntu-24.4.20260602", &ids, None);
        check("capms-ubuntu-1.34", &ids, Some("capms-ubuntu-1.34.1"));
        check("ubuntu-1.34", &ids, None);
        check("ubuntu", &ids, None);
    }

    #[test]
    fn an_id_with_patch_zero_is_a_shorthand_too() {
        check("firewall-ubuntu-3.0", &["firewall-ubuntu-3.0"], Some("firewall-ubuntu-3.0"));
        let ids = ["firewall-ubuntu-3.0", "firewall-ubuntu-3.0.20251101"];
        check("firewall-ubuntu-3.0", &ids, Some("firewall-ubuntu-3.0.20251101"));
    }

    #[test]
    fn layouts_compare_versions() {
        let admits = |rule, version| VersionRule::parse(rule).unwrap().admits(Version::parse(version).unwrap());
        assert!(admits("*", "1.2") && admits(">= 1.33", "1.34.1") && !admits(">= 1.33", "1.32.9"));
        assert!(admits("~1.34", "1.34.2") && !admits("~ 1.34", "1.35") && admits("1.34.1", "1.34.1"));
        assert_eq!(VersionRule::parse("latest"), None);
    }
}
