//! What a block should print, with `...` for what differs from run to run.

/// Whether an output is what is expected. Blanks at the ends of lines and empty lines at both ends do not count.
pub(crate) fn fits(expected: &str, output: &str) -> bool {
    lines_fit(&lines(expected), &lines(output))
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_matches('\n').lines().map(str::trim_end).collect()
}

fn lines_fit(expected: &[&str], output: &[&str]) -> bool {
    match expected {
        [] => output.is_empty(),
        [first, rest @ ..] if first.trim() == "..." => {
            (0..=output.len()).any(|skipped| lines_fit(rest, &output[skipped..]))
        }
        [first, rest @ ..] => {
            output.split_first().is_some_and(|(line, more)| line_fits(first, line) && lines_fit(rest, more))
        }
    }
}

fn line_fits(expected: &str, line: &str) -> bool {
    let Some((first, rest)) = expected.split_once("...") else { return expected == line };
    let Some(left) = line.strip_prefix(first) else { return false };
    (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| line_fits(rest, &left[at..]))
}

#[test]
fn three_dots_stand_for_anything() {
    for (expected, output) in [
        ("a\n", "a  \n\n"),
        ("at ...:443 (...)", "at 198.18.0.1:443 (allocated)"),
        ("a\n...\nz", "a\nb\nc\nz"),
        ("a\n...\nz", "a\nz"),
        ("...", ""),
        ("…... x", "…0238 x"),
    ] {
        assert!(fits(expected, output), "{expected:?} {output:?}");
    }
    for (expected, output) in
        [("a", "b"), ("a", "a\nb"), ("a\n...\nz", "a\nb"), ("a...c", "ab"), ("", "a"), ("a\nb", "a")]
    {
        assert!(!fits(expected, output), "{expected:?} {output:?}");
    }
}
