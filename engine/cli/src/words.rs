//! Names that people mistype: what they may have meant.

/// How many names a hint offers.
const OFFERED_MAX: usize = 3;
/// Letters that are wrong, missing or too many in one name.
const MISTAKES_MAX: usize = 3;

/// The known names nearest to a wanted one, best first; none where nothing is near.
pub(crate) fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let rank = |name: &'a str| {
        let plain = name.to_lowercase();
        let distance = strsim::damerau_levenshtein(&wanted, &plain);
        // A part of a name is meant more often than another name that is as far away.
        let is_part = wanted.len() > 2 && plain.contains(&wanted);
        let near = is_part || distance <= (wanted.chars().count() / 3).clamp(1, MISTAKES_MAX);
        near.then_some(((!is_part, distance), name))
    };
    let mut ranked: Vec<_> = known.into_iter().filter_map(rank).collect();
    ranked.sort();
    ranked.dedup();
    // Beside a good guess a bad one only disturbs.
    let best = ranked.first().map(|((no_part, distance), _)| (*no_part, *distance + 1));
    ranked.retain(|(rank, _)| best.is_some_and(|best| *rank <= best));
    ranked.into_iter().map(|(_, name)| name).take(OFFERED_MAX).collect()
}

/// A hint for a name that is not there: the nearest ones, else all of a short list, else `otherwise`.
pub(crate) fn hint<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    const LISTED_MAX: usize = 20;
    let known: Vec<_> = known.into_iter().collect();
    match &nearest(wanted, known.iter().copied())[..] {
        [] if known.is_empty() || known.len() > LISTED_MAX => otherwise.to_owned(),
        [] => format!("known here: {}", known.join(", ")),
        [only] => format!("did you mean {only}?"),
        [others @ .., last] => format!("did you mean {} or {last}?", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_and_nothing_else() {
        let known = ["spec.network.pods", "spec.network.services", "spec.pools", "spec.vip.address"];
        assert_eq!(nearest("spec.netwrok.pods", known), ["spec.network.pods"]);
        assert_eq!(nearest("pods", known), ["spec.network.pods"]);
        assert_eq!(nearest("spec.pool", known), ["spec.pools"]);
        assert_eq!(nearest("SPEC.POOLS", known), ["spec.pools"]);
        assert!(nearest("metadata.labels", known).is_empty());
        assert_eq!(hint("shopp", ["default.shop", "shop"], "-"), "did you mean shop?");
        assert_eq!(hint("x", ["alpha", "beta"], "-"), "known here: alpha, beta");
        assert_eq!(hint("x", [], "none"), "none");
    }
}
