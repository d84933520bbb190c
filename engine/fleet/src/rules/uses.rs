//! One finding for what several clusters have of a policy.

use super::{EXPIRES_IN_USE, IN_USE};
use crate::issue::Issue;
use std::collections::BTreeMap;

/// Clusters that are named in one message.
const NAMED_MAX: usize = 10;

/// Replaces the issues that single clusters added by one for each thing. It stops no cluster: what they have stays.
pub(crate) fn uses(issues: &mut Vec<Issue>) {
    let is_use = |issue: &mut Issue| [IN_USE, EXPIRES_IN_USE].contains(&issue.rule);
    let mut things: BTreeMap<(String, String, String), (Issue, Vec<String>)> = BTreeMap::new();
    for mut issue in issues.extract_if(.., is_use) {
        let user = issue.cluster.take().map(|id| id.to_string());
        let key = (issue.file.clone(), issue.field.clone(), issue.message.clone());
        things.entry(key).or_insert((issue, Vec::new())).1.extend(user);
    }
    for (mut issue, mut users) in things.into_values() {
        users.sort();
        // A cluster may have it several times.
        users.dedup();
        issue.message = format!("{} by {}", issue.message, named(&users));
        issues.push(issue);
    }
}

fn named(users: &[String]) -> String {
    let list = users[..users.len().min(NAMED_MAX)].join(", ");
    let noun = if users.len() == 1 { "cluster" } else { "clusters" };
    match users.len().saturating_sub(NAMED_MAX) {
        0 => format!("{} {noun}: {list}", users.len()),
        more => format!("{} {noun}: {list} and {more} more", users.len()),
    }
}
