//! The nearest right name for a wrong one, and the list of right ones.

use crate::limits::NAME_CHARS_MAX;

/// Names that are listed in one message.
const LISTED_MAX: usize = 20;

/// The candidate that was probably meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.chars().nth(NAME_CHARS_MAX).is_some() {
        return None;
    }
    let plain = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let wanted = plain(wrong);
    // One letter in three may be wrong.
    let distance_max = (wanted.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&wanted, &plain(candidate));
    let near = known.map(|candidate| (distance(candidate), candidate)).filter(|(d, _)| *d <= distance_max);
    near.min().map(|(_, candidate)| candidate)
}

/// What to choose instead of a wrong name.
pub(crate) fn choice<'a>(wrong: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut names: Vec<&str> = known.clone().take(LISTED_MAX).collect();
    if names.is_empty() {
        return "there is none to choose from".to_owned();
    }
    if known.clone().count() > LISTED_MAX {
        names.push("…");
    }
    let list = names.join(", ");
    match nearest(wrong, known) {
        Some(near) if near != wrong => format!("did you mean `{near}`? There are: {list}"),
        _ => format!("there are: {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_ignores_case_and_dashes() {
        let known = ["controlPlane", "pools", "firewall", "apiServerPort"];
        let near = |wrong| nearest(wrong, known.into_iter());
        assert_eq!(near("control_plane"), Some("controlPlane"));
        assert_eq!(near("poolz"), Some("pools"));
        assert_eq!(near("apiserverport"), Some("apiServerPort"));
        assert_eq!(near("machines"), None);
        assert_eq!(near("x"), None);
    }
}
