//! Where output goes, and how Argo CD and Flux reach it.

use super::{GITOPS_SOURCE, OUTPUT, SECRET_IN_GIT};
use crate::issue::Report;
use crate::place::shown;
use model::Fleet;
use model::fleet::{GitOpsTool, OutputSettings};

pub(super) fn output(fleet: &Fleet, report: &mut Report<'_>) {
    let OutputSettings { repo, branch, source_url, source_branch, secret_ref } = &fleet.spec.output;
    for (name, url) in [("repo", repo), ("sourceURL", source_url)] {
        if let Some(url) = url {
            location(&format!("spec.output.{name}"), url, report);
        }
    }
    for (name, branch) in [("branch", branch), ("sourceBranch", source_branch)] {
        if let Some(branch) = branch.as_deref().filter(|branch| !is_branch(branch)) {
            report
                .error(OUTPUT, &format!("spec.output.{name}"), format!("`{}` is no name of a branch", shown(branch)))
                .mend("write its name alone, as `rendered` or `output/production`");
        }
    }
    let clusters = &fleet.spec.management_clusters;
    let uses = |tool| clusters.iter().any(|cluster| cluster.gitops == tool);
    if source_url.is_none() {
        for (index, cluster) in clusters.iter().enumerate() {
            let tool = match cluster.gitops {
                GitOpsTool::None => continue,
                GitOpsTool::Argocd => "Argo CD",
                GitOpsTool::Flux => "Flux",
            };
            let message = format!("{tool} is told nowhere where the output of `{}` lies", cluster.name);
            report
                .error(GITOPS_SOURCE, &format!("spec.managementClusters[{index}].gitops"), message)
                .mend("set spec.output.sourceURL to the repository as it is reached from there");
        }
    }
    // Argo CD takes scp's form too.
    let has_scheme = |url: &str| ["https://", "http://", "ssh://"].iter().any(|scheme| url.starts_with(scheme));
    if let Some(url) = source_url.as_deref().filter(|url| uses(GitOpsTool::Flux) && !has_scheme(url)) {
        report
            .error(GITOPS_SOURCE, "spec.output.sourceURL", format!("Flux takes no URL like `{}`", shown(url)))
            .mend("write `https://git.example.com/fleet.git` or `ssh://git@git.example.com/fleet.git`");
    }
    if secret_ref.is_some() && !uses(GitOpsTool::Flux) {
        report
            .error(GITOPS_SOURCE, "spec.output.secretRef", "only Flux reads it, and no management cluster has Flux")
            .mend("remove it; Argo CD has repository Secrets of its own");
    }
}

/// I7: a name before the `@` of https is as good as a password, and so is what stands in a query.
fn location(field: &str, url: &str, report: &mut Report<'_>) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let is_secret = |user: &str| scheme.starts_with("http") || user.contains(':');
    let has_query = scheme.starts_with("http") && rest.contains(['?', '#']);
    if user.is_some_and(is_secret) || has_query {
        report
            .error(SECRET_IN_GIT, field, "credentials in a URL would be readable in Git")
            .mend("remove them: the engine takes its own from flags or files, Argo CD and Flux from Secrets");
    } else if url.trim().is_empty() || url.chars().any(|c| c.is_whitespace() || c.is_control()) || url.starts_with('-')
    {
        report
            .error(OUTPUT, field, format!("`{}` is no repository", shown(url)))
            .mend("write it as `git clone` takes it");
    }
}

/// As `git check-ref-format --branch` has it.
fn is_branch(name: &str) -> bool {
    let bad = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    !name.chars().any(bad)
        && !name.split('/').any(bad_part)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.starts_with("refs/")
        && !matches!(name, "@" | "HEAD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_branches_as_git_has_them() {
        for good in ["main", "rendered/production", "a.b", "a-b", "ä", "v1@x"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in [
            "",
            "a b",
            "-a",
            "a..b",
            "a/",
            "/a",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.",
            "@",
            "HEAD",
            "a@{1}",
            "refs/heads/a",
            "a:b",
            "a\u{7f}",
        ] {
            assert!(!is_branch(bad), "{bad}");
        }
    }
}
