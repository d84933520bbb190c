//! How a server is named in metal-api and in Kubernetes: hostname, tags, providerID, labels. Pure text.

use model::metal::{Machine, MachineRole};
use model::{MachineId, PartitionId, Tags, tags};
use sha2::{Digest as _, Sha256};

/// The value of the tag `fleet.metal-stack.io/slot`.
pub(crate) const SLOT: &str = "machine";
/// What stands for the allocation UUID of a machine that metal-api gives without one.
pub(crate) const NO_ALLOCATION: &str = "none";
/// What a label's value and a DNS label may have.
const LABEL_MAX: usize = 63;
/// Hexadecimal digits of the hash that keeps shortened names apart.
const HASH: usize = 10;

/// The hostname: the object's name, shortened with a hash where it is no DNS label (D68). Always the same for one name.
pub(crate) fn hostname(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() <= LABEL_MAX && name.chars().all(plain) && !name.starts_with('-') && !name.ends_with('-') {
        return name.to_owned();
    }
    shortened(name, |c| if plain(c) { c } else { '-' })
}

/// The tag of CAPMS up to 0.3.0, before there was `machine-resource`: the UID of the MetalStackMachine.
pub(crate) const MACHINE_UID: &str = "metal-stack.infrastructure.cluster.x-k8s.io/machine-id";

/// The values of the tag `machine-resource` that name this object: the one we write, and CAPMS's where they differ. A tag
/// becomes a label of the node, which has at most 63 characters, so what is longer is shortened with a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    ours: String,
    full: String,
    /// As CAPMS wrote it up to 0.5; never written.
    old: String,
}

impl Resource {
    pub(crate) fn of(namespace: &str, name: &str) -> Self {
        let full = format!("{namespace}.{name}");
        let ours = if is_label_value(&full) { full.clone() } else { shortened(&full, |c| c) };
        Self { ours, full, old: old_form(namespace, name) }
    }

    /// What we write.
    pub(crate) fn as_str(&self) -> &str {
        &self.ours
    }

    /// All that is searched for.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &str> {
        let other = (self.full != self.ours).then_some(self.full.as_str());
        std::iter::once(self.ours.as_str()).chain(other).chain([self.old.as_str()])
    }

    pub(crate) fn is(&self, value: &str) -> bool {
        self.forms().any(|form| form == value)
    }

    /// Whether a machine says that it is this object's.
    pub(crate) fn is_on(&self, machine: &Machine) -> bool {
        machine.role == MachineRole::Machine && machine.tags.get(tags::MACHINE_RESOURCE).is_some_and(|of| self.is(of))
    }
}

/// How CAPMS from 0.3.1 to 0.5 wrote an object into a tag.
pub(crate) fn old_form(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Whether we allocated it, for this attempt of this object.
pub(crate) fn is_marked(machine: &Machine, resource: &Resource, attempt: &str) -> bool {
    resource.is_on(machine)
        && machine.tags.has(tags::MANAGED_BY, tags::MANAGED_BY_PROVIDER)
        && machine.tags.has(tags::ATTEMPT, attempt)
}

pub(crate) fn is_of_engine(found: &Tags) -> bool {
    found.has(tags::MANAGED_BY, tags::MANAGED_BY_ENGINE)
}

pub(crate) fn provider_id(partition: &PartitionId, id: &MachineId) -> String {
    format!("metal://{partition}/{id}")
}

/// Whether a text can stand as a label's value.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.len() <= LABEL_MAX && (text.is_empty() || is_framed(text))
}

/// Whether a text can stand as a label's key.
pub(crate) fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let part = |p: &str| is_framed(p) && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let is_domain = |domain: &str| domain.len() <= 253 && domain.split('.').all(part);
    name.len() <= LABEL_MAX && is_framed(name) && prefix.is_none_or(is_domain)
}

/// A text as a label's value: what cannot stand there becomes `-`. `None` where nothing is left.
pub(crate) fn label_value(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mended: String = text.chars().map(|c| if allowed(c) { c } else { '-' }).take(LABEL_MAX).collect();
    let mended = mended.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (!mended.is_empty()).then(|| mended.to_owned())
}

/// Letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_framed(text: &str) -> bool {
    let plain = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    plain(bytes.first())
        && plain(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// The beginning of a text and a hash of the whole, of at most 63 characters.
fn shortened(text: &str, mend: impl Fn(char) -> char) -> String {
    let hash: String = Sha256::digest(text).iter().take(HASH / 2).map(|byte| format!("{byte:02x}")).collect();
    let start: String = text.chars().map(mend).take(LABEL_MAX - HASH - 1).collect();
    let start = start.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if start.is_empty() { format!("m-{hash}") } else { format!("{start}-{hash}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d68_hostnames_are_dns_labels_and_stay_apart() {
        assert_eq!(hostname("shop-general-x7k2p"), "shop-general-x7k2p");
        let long = "a".repeat(70);
        let (one, other) = (hostname(&format!("{long}1")), hostname(&format!("{long}2")));
        assert_eq!((one.len(), other.len()), (63, 63));
        assert_ne!(one, other);
        assert_eq!(one, hostname(&format!("{long}1")));
        assert!(hostname("shop.general").starts_with("shop-general-"));
    }

    #[test]
    fn long_names_of_objects_are_shortened_and_both_forms_are_known() {
        let short = Resource::of("payments", "shop-1");
        assert_eq!(short.forms().collect::<Vec<_>>(), ["payments.shop-1", "payments/shop-1"]);
        assert_eq!(short.as_str(), "payments.shop-1");
        let name = "shop-".repeat(14);
        let long = Resource::of("payments", &name);
        assert!(is_label_value(long.as_str()), "{long:?}");
        assert!(long.is(&format!("payments.{name}")) && long.is(long.as_str()));
        assert!(!long.is("payments.shop-1"));
    }

    #[test]
    fn provider_ids_go_both_ways() {
        let id = MachineId::parse("00000000-0000-4000-8000-0000000000f1").unwrap();
        let text = provider_id(&PartitionId::parse("muc-a").unwrap(), &id);
        assert_eq!(text, "metal://muc-a/00000000-0000-4000-8000-0000000000f1");
        assert_eq!(crate::control::server(&text), Some(id));
    }

    #[test]
    fn d7_values_of_labels_are_valid_or_absent() {
        assert_eq!(label_value("rack 1/left").as_deref(), Some("rack-1-left"));
        assert_eq!(label_value(&"x".repeat(80)).unwrap().len(), 63);
        assert_eq!(label_value(&format!("{}-b", "x".repeat(62))).as_deref(), Some("x".repeat(62).as_str()));
        assert_eq!(label_value("---"), None);
        assert_eq!(label_value(""), None);
        for key in ["a", "example.com/a.b", "A-1"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/a", "a/", "Exa.com/a", "a/b/c", "-a", "a..b/c"] {
            assert!(!is_label_key(key), "{key}");
        }
    }
}
