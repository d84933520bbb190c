//! Values to YAML that every reader understands alike: what YAML 1.1 (the Go tools) would take for something else than a
//! string is quoted, text of several lines is a literal block. Block style, keys in the order of the value.

use serde_json::Value;

/// Filled in by the OS image at boot, in the text: quoted, so that a string is left when it became a number.
const FILLED_IN_LATER: [&str; 1] = [crate::kinds::kube_vip::ASN_TOKEN];

/// Words that YAML 1.1 does not read as strings.
const WORDS: [&str; 13] = ["true", "false", "null", "y", "n", "yes", "no", "on", "off", "nan", "inf", "~", "<<"];

/// One file: a comment line, then the documents.
pub(crate) fn file<'a>(comment: &str, documents: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut out = String::with_capacity(4096);
    // A path may hold anything that Git allows, line breaks too.
    out.push_str("# ");
    out.extend(comment.chars().map(|c| if c.is_control() { '?' } else { c }));
    out.push('\n');
    write(&mut out, documents);
    out.into_bytes()
}

/// Documents with `---` between them.
pub(crate) fn text(documents: &[Value]) -> String {
    let mut out = String::with_capacity(4096);
    write(&mut out, documents);
    out
}

fn write<'a>(out: &mut String, documents: impl IntoIterator<Item = &'a Value>) {
    for (i, document) in documents.into_iter().enumerate() {
        if i > 0 {
            out.push_str("---\n");
        }
        block(out, document, 0, false);
    }
}

/// Writes a value at an indentation, its last line ended. `started`: the first line is indented already.
fn block(out: &mut String, value: &Value, indent: usize, mut started: bool) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                pad(out, indent, std::mem::take(&mut started));
                string(out, key);
                out.push(':');
                match value {
                    Value::Object(map) if !map.is_empty() => {
                        out.push('\n');
                        block(out, value, indent + 2, false);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        out.push('\n');
                        block(out, value, indent, false);
                    }
                    _ => {
                        out.push(' ');
                        leaf(out, value, indent + 2);
                    }
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                pad(out, indent, std::mem::take(&mut started));
                out.push_str("- ");
                block(out, item, indent + 2, true);
            }
        }
        // Text of a document that is nothing else is indented too.
        _ => leaf(out, value, indent.max(2)),
    }
}

fn pad(out: &mut String, indent: usize, started: bool) {
    if !started {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

fn leaf(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::String(text) if is_literal(text) => {
            out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
            for line in text.lines() {
                out.push('\n');
                if !line.is_empty() {
                    pad(out, indent, false);
                    out.push_str(line);
                }
            }
        }
        Value::String(text) => string(out, text),
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

fn string(out: &mut String, text: &str) {
    if is_plain(text) {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if !is_printable(c) => out.push_str(&escaped(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn escaped(c: char) -> String {
    let code = u32::from(c);
    if code <= 0xffff { format!("\\u{code:04x}") } else { format!("\\U{code:08x}") }
}

/// Not what YAML wants escaped, and not what some reader takes for a line break or drops.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether a text can stand in a literal block and come back as it is.
fn is_literal(text: &str) -> bool {
    let Some(body) = text.strip_suffix('\n').or(Some(text)).filter(|body| text.contains('\n') && !body.is_empty())
    else {
        return false;
    };
    let visible = |line: &str| line.is_empty() || !line.chars().all(char::is_whitespace);
    !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body.split('\n').all(visible)
        && body.chars().all(|c| c == '\n' || is_printable(c))
}

/// Whether a text is the same string in YAML 1.1 and 1.2 without quotes. Strict: what is not known to be safe is quoted.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let count = |byte| bytes.iter().filter(|b| **b == byte).count();
    let good_start = match bytes {
        [b'a'..=b'z' | b'A'..=b'Z' | b'/', ..] | [b'-', b'-', b'a'..=b'z', ..] => true,
        // Addresses, CIDRs and UUIDs: no number or date has that many dots or dashes, or a slash.
        [b'0'..=b'9', ..] => (count(b'.') >= 2 || count(b'/') > 0 || count(b'-') >= 3) && count(b':') == 0,
        _ => false,
    };
    let inside = |i: usize| bytes.get(i + 1).is_some_and(|next| *next != b' ');
    let good = |(i, byte): (usize, &u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'=' | b',' | b';' => true,
        b':' | b' ' => inside(i),
        _ => false,
    };
    good_start
        && bytes.iter().enumerate().all(good)
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        && !FILLED_IN_LATER.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::json;

    fn back(text: &str) -> Vec<Value> {
        serde_yaml::Deserializer::from_str(text).map(|d| Value::deserialize(d).unwrap()).collect()
    }

    #[test]
    fn a_string_stays_a_string_for_every_reader() {
        for text in [
            "on",
            "Yes",
            "NO",
            "n",
            "~",
            "1_000",
            "0644",
            "1e3",
            "0x1f",
            "1:30",
            "2024-01-01",
            "2001:db8::/32",
            "",
            " a",
            "a: b",
            "a #b",
            "- a",
            "---",
            "*",
            "&a",
            "!a",
            "@a",
            "%a",
            "'a'",
            "key:",
            "METAL_MACHINE_ASN",
            "1.5",
            "null",
        ] {
            let yaml = super::text(&[json!({"a": text})]);
            assert!(yaml.starts_with("a: \""), "{yaml}");
            assert_eq!(back(&yaml), [json!({"a": text})]);
        }
        for text in ["10.240.0.0/13", "198.18.0.5", "root:root", "--leader-elect=true", "v1.34.2", "a b", "/etc/x.yaml"]
        {
            assert_eq!(super::text(&[json!({"a": text})]), format!("a: {text}\n"));
        }
    }

    #[test]
    fn blocks_are_laid_out_for_people() {
        let value =
            json!({"a": [{"b": 1, "c": ["d"]}, [[true]]], "e": {}, "f": {"g": "one\n\ntwo\n", "h": "x\ny"}, "i": []});
        let yaml = super::text(&[value.clone(), json!("scalar")]);
        insta::assert_snapshot!(yaml, @r#"
        a:
        - b: 1
          c:
          - d
        - - - true
        e: {}
        f:
          g: |
            one

            two
          h: |-
            x
            y
        i: []
        ---
        scalar
        "#);
        assert_eq!(back(&yaml), [value, json!("scalar")]);
    }

    #[test]
    fn a_comment_is_one_line() {
        assert_eq!(file("from a\nb: c", &[json!({})]), b"# from a?b: c\n{}\n");
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![".*", "[a-z0-9:#.\\- \n]{0,12}", "( ?[a-z]{0,3}\n){0,4}", "[0-9_.eExo:+-]{1,8}"];
        let leaf = prop_oneof![text.prop_map(Value::from), any::<i64>().prop_map(Value::from), Just(Value::Null)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
            let map = prop::collection::btree_map("[ -~]{1,8}", inner, 0..4);
            prop_oneof![list, map.prop_map(|m| Value::Object(m.into_iter().collect()))]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let yaml = super::text(std::slice::from_ref(&value));
            prop_assert_eq!(&back(&yaml), std::slice::from_ref(&value), "{}", yaml);
            let saphyr: Value = serde_saphyr::from_str(&yaml).unwrap();
            prop_assert_eq!(&saphyr, &value, "{}", yaml);
        }
    }
}
