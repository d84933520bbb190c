//! What a bootstrap Secret has, and whether a server can boot with it.

use super::observed::Bootstrap;
use k8s_openapi::ByteString;
use model::metal::UserData;
use std::collections::BTreeMap;

const VALUE: &str = "value";
const FORMAT: &str = "format";
const IGNITION: &[u8] = b"ignition";

/// The images of metal-stack read Ignition alone: with anything else a server boots and never joins (D62).
pub(super) fn usable(name: &str, data: &BTreeMap<String, ByteString>) -> Bootstrap {
    let value = data.get(VALUE).map(|value| value.0.as_slice()).unwrap_or_default();
    if value.iter().all(u8::is_ascii_whitespace) {
        let mend = "it is written by the bootstrap provider, or by whoever set dataSecretName";
        return Bootstrap::Unusable(format!("the bootstrap Secret {name} has nothing under the key `{VALUE}`; {mend}"));
    }
    // A Secret that a person made may not say what it has.
    let looks_so = || value.trim_ascii_start().starts_with(b"{");
    if data.get(FORMAT).map_or_else(looks_so, |format| format.0.trim_ascii() == IGNITION) {
        return Bootstrap::Data(UserData::new(value));
    }
    Bootstrap::Unusable(format!(
        "the bootstrap Secret {name} is not in the format ignition, which the images of metal-stack need; set `format: \
         ignition` in the KubeadmConfig, KubeadmConfigTemplate or KubeadmControlPlane, and the feature gate \
         KubeadmBootstrapFormatIgnition"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(data: &[(&str, &str)]) -> Bootstrap {
        let bytes = |(key, value): &(&str, &str)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec()));
        usable("shop-1", &data.iter().map(bytes).collect())
    }

    #[test]
    fn d62_only_ignition_boots() {
        for good in [&[("value", "{}"), ("format", "ignition")][..], &[("value", " {\"ignition\": {}}")]] {
            assert!(matches!(of(good), Bootstrap::Data(_)), "{good:?}");
        }
        let bad: [(&[(&str, &str)], &str); 5] = [
            (&[], "key `value`"),
            (&[("value", " \n"), ("format", "ignition")], "key `value`"),
            (&[("data", "{}"), ("format", "ignition")], "key `value`"),
            (&[("value", "#cloud-config"), ("format", "cloud-config")], "format: ignition"),
            (&[("value", "#cloud-config secret-token")], "format: ignition"),
        ];
        for (data, mend) in bad {
            let Bootstrap::Unusable(why) = of(data) else { panic!("{data:?}") };
            assert!(why.contains(mend) && !why.contains("secret-token"), "{why}");
        }
    }
}
