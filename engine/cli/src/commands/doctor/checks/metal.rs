//! metal-api: there, well, and with credentials, projects and partitions that it knows.

use super::Check;
use crate::commands::doctor::facts::{Answers, Cluster, Facts, Metal, MetalState, Project, Spec, Trouble};
use std::collections::BTreeSet;

const API_NAME: &str = "metal-api";
const CREDENTIALS_NAME: &str = "credentials";
const PROJECTS_NAME: &str = "projects";
const PARTITIONS_NAME: &str = "partitions";

/// metal-api refuses requests that are older, of Metal-Admin after 90 s; from the future it takes them, until the clock
/// of somebody else is right.
const SKEW_MAX: i64 = 30;

pub(super) fn checks(facts: &Facts) -> Vec<Check> {
    let specs = specs(facts);
    facts.metals.iter().flat_map(|(credentials, metal)| of_one(credentials.as_deref(), metal, &specs)).collect()
}

fn specs(facts: &Facts) -> Vec<(&Cluster, &Spec)> {
    let clusters = facts.plane.iter().flat_map(|plane| plane.clusters.as_deref().unwrap_or_default());
    clusters.filter_map(|cluster| Some((cluster, cluster.spec.as_ref().ok()?))).collect()
}

fn of_one(credentials: Option<&str>, metal: &Metal, specs: &[(&Cluster, &Spec)]) -> Vec<Check> {
    let of_these = specs.iter().filter(|(_, spec)| spec.credentials.as_deref() == credentials);
    let users: Vec<_> = of_these.copied().collect();
    let checks = match &metal.state {
        MetalState::Unwanted => vec![Check::skipped(API_NAME, "--metal none")],
        MetalState::Unnamed => {
            let mend = "set METAL_API_URL, METAL_API_HMAC and METAL_API_HMAC_AUTH_TYPE, or name a Secret with --metal";
            let why = "nobody says where it is";
            // Clusters that bring their own credentials need none of the provider.
            let check = Check { mend: Some(mend.to_owned()), ..Check::skipped(API_NAME, why) };
            vec![check]
        }
        MetalState::Unusable(why, mend) => vec![Check::failed(API_NAME, why, mend)],
        MetalState::Asked(answers) => asked(answers, &users),
    };
    checks.into_iter().map(|check| described(check, &metal.from)).collect()
}

/// Says with whose credentials, beside what a check is about.
fn described(check: Check, from: &str) -> Check {
    match check.about.clone() {
        None => check.about(from),
        Some(_) => check,
    }
}

fn asked(answers: &Answers, users: &[(&Cluster, &Spec)]) -> Vec<Check> {
    let url = &answers.url;
    let mut checks = Vec::new();
    let version = match &answers.version {
        Ok(version) => Some(version.as_str()),
        Err(Trouble::Denied { .. }) => None,
        Err(trouble) => {
            let mend = "see to METAL_API_URL (it ends before /v1), the way there, and proxies on it";
            return vec![Check::failed(API_NAME, format!("{url} does not answer: {}", words(trouble)), mend)];
        }
    };
    checks.push(match &answers.health {
        Ok((true, _)) => {
            let version = version.map_or_else(String::new, |version| format!(", {version}"));
            Check::ok(API_NAME, format!("{url} is well{version}"))
        }
        Ok((false, said)) => ill(url, said),
        Err(Trouble::Denied { .. }) => Check::ok(API_NAME, format!("{url} answers")),
        Err(trouble) => ill(url, words(trouble)),
    });
    let (check, is_known) = credentials(answers);
    checks.push(check);
    if is_known {
        checks.extend(projects(answers, users));
        checks.extend(partitions(answers, users));
    }
    checks
}

fn ill(url: &str, said: &str) -> Check {
    let why = format!("{url} says that it is not well: {said}");
    Check::failed(API_NAME, why, "see to metal-stack's control plane; the provider waits until it is well again")
}

/// Whether it takes them; nothing more is asked where it does not.
fn credentials(answers: &Answers) -> (Check, bool) {
    let refused = [answers.version.as_ref().err(), answers.health.as_ref().err(), answers.partitions.as_ref().err()];
    let refused = refused.into_iter().flatten().find_map(|trouble| match trouble {
        Trouble::Denied { skew, text } => Some((*skew, text)),
        Trouble::NotFound(_) | Trouble::Other(_) => None,
    });
    let skew = answers.skew.filter(|skew| skew.abs() > SKEW_MAX);
    let differ = |skew: Option<i64>| match skew {
        Some(ahead @ 0..) => format!("its clock is {ahead} s ahead of this one"),
        Some(behind) => format!("its clock is {} s behind this one", -behind),
        None => "clocks differ".to_owned(),
    };
    let set = "set the clocks right (NTP) here, where the provider runs, and at metal-api";
    let check = match (refused, skew) {
        (Some((true, text)), skew) => {
            Check::failed(CREDENTIALS_NAME, format!("refused for the time: {text}; {}", differ(skew)), set)
        }
        (Some((false, text)), Some(skew)) => {
            Check::failed(CREDENTIALS_NAME, format!("refused: {text}; {}", differ(Some(skew))), set)
        }
        (Some((false, text)), None) => Check::failed(
            CREDENTIALS_NAME,
            format!("refused: {text}"),
            "is the key that of METAL_API_HMAC_AUTH_TYPE, and was it rotated? Metal-Edit is what the provider needs",
        ),
        (None, Some(skew)) => {
            let why = format!("{}: it refuses what is over {SKEW_MAX} s old", differ(Some(skew)));
            return (Check::warning(CREDENTIALS_NAME, why, set), true);
        }
        (None, None) => match &answers.partitions {
            Ok(_) => return (Check::ok(CREDENTIALS_NAME, "accepted"), true),
            Err(trouble) => {
                let why = format!("partitions cannot be listed: {}", words(trouble));
                Check::failed(CREDENTIALS_NAME, why, "see to metal-api")
            }
        },
    };
    (check, false)
}

fn projects(answers: &Answers, users: &[(&Cluster, &Spec)]) -> Vec<Check> {
    let check = |(id, project): (&String, &Project)| {
        let of = users.iter().filter(|(_, spec)| spec.project == *id).map(|(cluster, _)| cluster.id.clone());
        let of = super::some(&of.collect::<Vec<_>>());
        match &project.known {
            Ok(name) => Check::ok(PROJECTS_NAME, format!("{name}, used by {of}")),
            Err(Trouble::NotFound(_)) => Check::failed(
                PROJECTS_NAME,
                format!("metal-api does not know it; used by {of}"),
                "mend spec.projectID while no network is allocated, or see that the URL is that of the right metal-api",
            ),
            Err(trouble) => {
                let why = format!("cannot be read: {}", words(trouble));
                Check::failed(PROJECTS_NAME, why, "use credentials that may see the project")
            }
        }
        .about(id)
    };
    answers.projects.iter().map(check).collect()
}

fn partitions(answers: &Answers, users: &[(&Cluster, &Spec)]) -> Vec<Check> {
    let Ok(known) = &answers.partitions else { return Vec::new() };
    let wanted: BTreeSet<_> = users.iter().map(|(_, spec)| &spec.partition).collect();
    let check = |partition: &String| {
        let of = users.iter().filter(|(_, spec)| spec.partition == *partition).map(|(cluster, _)| cluster.id.clone());
        let of = super::some(&of.collect::<Vec<_>>());
        if known.contains(partition) {
            Check::ok(PARTITIONS_NAME, format!("used by {of}")).about(partition)
        } else {
            let known = known.iter().cloned().collect::<Vec<_>>().join(", ");
            let why = format!("metal-api does not know it; used by {of}");
            let mend = format!("mend spec.partition while no network is allocated; known are {known}");
            Check::failed(PARTITIONS_NAME, why, mend).about(partition)
        }
    };
    wanted.into_iter().map(check).collect()
}

pub(super) fn words(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Denied { text, .. } | Trouble::NotFound(text) | Trouble::Other(text) => text,
    }
}
