//! References of container images and charts, and where a policy says they come from.

use crate::policy::ImagePolicy;

impl ImagePolicy {
    /// The reference as the policy's longest fitting rule rewrites it; None where no rule fits. Image references may
    /// leave out Docker's host (`nginx`, `metallb/speaker:v1`); chart repositories are URLs, whose scheme stays unless
    /// the rule brings one.
    pub fn rewritten(&self, reference: &str) -> Option<String> {
        let (scheme, path) = split(reference);
        let path = if scheme.is_empty() { with_host(path) } else { path.to_owned() };
        let fits = |from: &str| {
            let rest = path.strip_prefix(split(from).1.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with(['/', ':', '@'])).then_some(rest.to_owned())
        };
        let fitting = self.rewrite.iter().filter_map(|rule| Some((rule, fits(&rule.from)?)));
        let (rule, rest) = fitting.max_by_key(|(rule, _)| split(&rule.from).1.len())?;
        let (own_scheme, to) = split(&rule.to);
        let scheme = if own_scheme.is_empty() { scheme } else { own_scheme };
        Some(format!("{scheme}{}{rest}", to.trim_end_matches('/')))
    }

    /// The reference to render: rewritten where a rule fits.
    pub fn reference(&self, reference: &str) -> String {
        self.rewritten(reference).unwrap_or_else(|| reference.to_owned())
    }
}

/// `https://` or `oci://`, and the rest.
fn split(reference: &str) -> (&str, &str) {
    reference.find("://").map_or(("", reference), |at| reference.split_at(at + 3))
}

/// As Docker reads it: without a host it is Docker Hub's.
fn with_host(path: &str) -> String {
    match path.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => path.to_owned(),
        Some(_) => format!("docker.io/{path}"),
        None => format!("docker.io/library/{path}"),
    }
}

/// The host of a reference, `docker.io` where it names none.
pub fn host(reference: &str) -> String {
    let (scheme, path) = split(reference);
    let path = if scheme.is_empty() { with_host(path) } else { path.to_owned() };
    path.split('/').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ImageRewrite;

    #[test]
    fn the_longest_rule_that_ends_at_a_boundary_counts() {
        let rule = |from: &str, to: &str| ImageRewrite { from: from.to_owned(), to: to.to_owned() };
        let policy = ImagePolicy {
            airgapped: true,
            rewrite: vec![
                rule("ghcr.io", "registry.example.com/ghcr"),
                rule("ghcr.io/kube-vip", "registry.example.com/vip/"),
                rule("docker.io", "registry.example.com/hub"),
                rule("https://docs.tigera.io/calico/charts", "oci://registry.example.com/charts"),
            ],
        };
        for (reference, expected) in [
            ("ghcr.io/kube-vip/kube-vip:v0.8.10", Some("registry.example.com/vip/kube-vip:v0.8.10")),
            ("ghcr.io/metal-stack/metal-ccm:v0.9.7", Some("registry.example.com/ghcr/metal-stack/metal-ccm:v0.9.7")),
            ("nginx@sha256:00", Some("registry.example.com/hub/library/nginx@sha256:00")),
            ("metallb/speaker:v1", Some("registry.example.com/hub/metallb/speaker:v1")),
            ("https://docs.tigera.io/calico/charts", Some("oci://registry.example.com/charts")),
            ("ghcr.iox/a", None),
            ("quay.io/tigera/operator:v1", None),
        ] {
            assert_eq!(policy.rewritten(reference).as_deref(), expected, "{reference}");
        }
        assert_eq!(
            (host("nginx"), host("https://a.b/c"), host("r:5000/x")),
            ("docker.io".into(), "a.b".into(), "r:5000".into())
        );
    }
}
