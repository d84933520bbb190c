//! Machine images and machine types of a policy, and where container images come from.

use super::{Classified, one_supported, unique};
use crate::issue::Report;
use crate::rules::addons::version_tag;
use crate::rules::{EMPTY_LIST, IMAGE_REWRITE, POLICY_IMAGE, QUANTITY};
use model::policy::{ImagePolicy, ImageRewrite, MachineImage, MachineType};
use model::want::image_version;

pub(super) fn machine_images(images: &[MachineImage], report: &mut Report<'_>) {
    unique("spec.machineImages", "name", images.iter().map(|i| &i.name), report);
    for (index, image) in images.iter().enumerate() {
        machine_image(index, image, report);
    }
}

/// R24: metal-api takes the newest patch for an id with patch 0.
fn machine_image(index: usize, image: &MachineImage, report: &mut Report<'_>) {
    let field = format!("spec.machineImages[{index}]");
    let versions = format!("{field}.versions");
    if image.versions.is_empty() {
        report.error(EMPTY_LIST, &versions, format!("image `{}` has no version", image.name)).mend("add one");
    }
    unique(&versions, "version", image.versions.iter().map(|v| &v.version), report);
    if image.versions.len() > 1 && !image.id.contains("{{version}}") {
        let message = format!("`{}` gives the same id for all versions", image.id);
        report
            .error(POLICY_IMAGE, &format!("{field}.id"), message)
            .mend("write `{{version}}` where the version stands");
    }
    for (i, version) in image.versions.iter().enumerate() {
        let at = format!("{versions}[{i}].version");
        match image.image_id(version) {
            None => {
                let message = format!("`{}` and `{}` make no image id", image.id, version.version);
                report
                    .error(POLICY_IMAGE, &at, message)
                    .mend("ids have letters, digits, `-`, `_` and `.`, as in `capms-ubuntu-{{version}}`");
            }
            Some(id) if image_version(&id).is_some_and(|v| v.version.2 == 0) => {
                let message = format!("`{id}` names no patch: metal-api takes the newest one of its minor");
                report.error(POLICY_IMAGE, &at, message).mend("name an image with a patch above 0");
            }
            Some(_) if numbers(&version.version).is_none() => {
                let message = format!("`{}` is no version of three numbers", version.version);
                report.error(POLICY_IMAGE, &at, message).mend("write it as `1.34.2` or `24.04.20251101`");
            }
            Some(_) => {}
        }
        version_tag(&format!("{versions}[{i}].kubeVip"), &version.kube_vip, report);
    }
    let classified = image.versions.iter().map(|v| Classified {
        classification: v.classification,
        minor: numbers(&v.version).map(|[major, minor, _]| (major, minor)),
        version: v.version.clone(),
    });
    one_supported(&versions, &classified.collect::<Vec<_>>(), report);
}

/// The numbers of an image's version; leading zeros are tolerated, as metal-api does.
pub(crate) fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.').map(|part| part.parse::<u64>().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

pub(super) fn machine_types(types: &[MachineType], report: &mut Report<'_>) {
    unique("spec.machineTypes", "name", types.iter().map(|t| &t.name), report);
    for (index, one) in types.iter().enumerate() {
        if let Some(memory) = one.memory.as_deref().filter(|memory| !is_quantity(memory)) {
            report
                .error(
                    QUANTITY,
                    &format!("spec.machineTypes[{index}].memory"),
                    format!("`{memory}` is no amount of memory"),
                )
                .mend("write it as Kubernetes does, for example `64Gi`");
        }
    }
    if !types.is_empty() && types.iter().all(|t| !t.usable) {
        report
            .error(EMPTY_LIST, "spec.machineTypes", "no machine type is usable")
            .mend("leave `usable` out for those that new clusters may have");
    }
}

/// A Kubernetes quantity that is not negative.
fn is_quantity(text: &str) -> bool {
    const SUFFIXES: [&str; 14] = ["", "k", "M", "G", "T", "P", "E", "m", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (whole, part) = digits.split_once('.').map_or((digits, "0"), |(whole, part)| (whole, part));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    SUFFIXES.contains(&&text[digits.len()..]) && is_number(whole) && is_number(part)
}

pub(super) fn image_policy(images: &ImagePolicy, report: &mut Report<'_>) {
    const LIST: &str = "spec.images.rewrite";
    let ImagePolicy { airgapped: _, rewrite } = images;
    unique(LIST, "from", rewrite.iter().map(|rule| rule.from.trim_end_matches('/')), report);
    for (index, rule) in rewrite.iter().enumerate() {
        let ImageRewrite { from, to } = rule;
        for (name, text) in [("from", from), ("to", to)] {
            if !is_registry(text) {
                report
                    .error(IMAGE_REWRITE, &format!("{LIST}[{index}].{name}"), format!("`{}` is no registry", shown(text)))
                    .mend("write a host with or without a path, as `ghcr.io` or `registry.example.com/ghcr`; no credentials");
            }
        }
    }
}

/// I7: what stands before an `@` may be a password.
fn shown(text: &str) -> String {
    crate::place::shown(text.rsplit('@').next().unwrap_or_default())
}

/// A host with a port, a path and one of the schemes of chart repositories, all but the host optional.
fn is_registry(text: &str) -> bool {
    let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("oci://")).unwrap_or(text);
    let mut parts = bare.trim_end_matches('/').split('/');
    let is_name = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        part.bytes().all(inner) && part.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
    };
    let is_host = |host: &str| {
        let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
        is_name(name) && port.is_none_or(|port| port.parse::<u16>().is_ok())
    };
    parts.next().is_some_and(is_host) && parts.all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_kubernetes_has_them() {
        for good in ["64Gi", "1.5Ti", "128", "0", "500M"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "Gi", "-1Gi", "64GiB", "64 Gi", "1.Gi", ".5Gi", "64gi", "1e3"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn registries_are_hosts_with_paths() {
        for good in
            ["ghcr.io", "docker.io/library", "localhost:5000", "oci://registry.example.com/charts/", "https://a.b/c"]
        {
            assert!(is_registry(good), "{good}");
        }
        for bad in
            ["", "/", "http://a.b", "me:secret@ghcr.io", "a b", "ghcr.io//x", "ghcr.io:x", "ghcr.io/*", "ghcr.io/a:v1"]
        {
            assert!(!is_registry(bad), "{bad}");
        }
    }

    #[test]
    fn versions_of_images_are_three_numbers() {
        assert_eq!(numbers("24.04.20251101"), Some([24, 4, 20_251_101]));
        assert_eq!(
            (numbers("v1.34.2"), numbers("1.34"), numbers("1.34.2.1"), numbers("a.b.c")),
            (Some([1, 34, 2]), None, None, None)
        );
    }
}
