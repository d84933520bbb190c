use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn decode<T: DeserializeOwned>(body: &[u8], piece: usize) -> Result<Vec<T>, ListError> {
    let mut decoder = ListDecoder::default();
    for chunk in body.chunks(piece.max(1)) {
        decoder.push(chunk)?;
    }
    decoder.finish()
}

#[test]
fn null_and_empty_are_empty() {
    for body in ["null", " null\n", "[]", " [ ] "] {
        assert_eq!(decode::<Value>(body.as_bytes(), 1).unwrap(), Vec::<Value>::new(), "{body}");
    }
}

#[test]
fn borders_inside_strings_and_nesting_are_none() {
    let body = json!([{"a": "],[\"}{\\", "b": [[1, 2], {"c": "\\\\"}]}, 7, "x,]", null]);
    let text = serde_json::to_vec_pretty(&body).unwrap();
    for piece in [1, 2, 3, 7, text.len()] {
        assert_eq!(Value::Array(decode(&text, piece).unwrap()), body, "{piece}");
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let bad = ["", "{}", "nul", "nulll", "[", "[1", "[1,", "[1,]", "[,1]", "[1]]", "[1] x", "[}]", "\"[]\"", "[\"a]"];
    for body in bad {
        assert!(decode::<Value>(body.as_bytes(), 2).is_err(), "{body}");
    }
}

#[test]
fn an_endless_element_is_cut_off() {
    let mut decoder = ListDecoder::<Value>::default();
    decoder.push(b"[\"").unwrap();
    let chunk = vec![b'a'; 1 << 20];
    let error = (0..8).find_map(|_| decoder.push(&chunk).err()).unwrap();
    assert!(matches!(error, ListError::TooLong { index: 0 }), "{error}");
}

/// 20 MB of machines, in the pieces in which a socket hands them out: what is held is one machine, not the answer.
#[test]
fn a_large_answer_is_never_whole_in_memory() {
    #[derive(serde::Deserialize)]
    struct Used {
        id: String,
    }
    let machine =
        json!({"id": "m", "allocation": {"user_data": "x".repeat(10_000)}, "nics": vec![json!({"mac": "aa:bb"}); 200]});
    let machine = serde_json::to_vec(&machine).unwrap();
    let (mut decoder, mut sent, mut largest) = (ListDecoder::<Used>::default(), 0, 0);
    decoder.push(b"[").unwrap();
    while sent < 20 << 20 {
        let separator: &[u8] = if sent == 0 { b"" } else { b",\n" };
        decoder.push(separator).unwrap();
        for piece in machine.chunks(8192) {
            decoder.push(piece).unwrap();
        }
        sent += machine.len();
        largest = largest.max(decoder.element.capacity());
    }
    decoder.push(b"]").unwrap();
    assert!(largest <= 4 * machine.len(), "{largest} for machines of {}", machine.len());
    let found = decoder.finish().unwrap();
    assert!(found.len() > 1000 && found.iter().all(|m| m.id == "m"));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_array_in_any_pieces_is_what_serde_json_reads(
        items in prop::collection::vec(value(), 0..6), piece in 1_usize..40, pretty in any::<bool>(),
    ) {
        let body = if pretty { serde_json::to_vec_pretty(&items) } else { serde_json::to_vec(&items) }.unwrap();
        prop_assert_eq!(decode::<Value>(&body, piece).unwrap(), items);
    }

    #[test]
    fn noise_is_accepted_only_where_serde_json_accepts_it(body in "[\\[\\]{},:\"a1 \\\\nul]{0,24}") {
        let ours = decode::<Value>(body.as_bytes(), 3).ok();
        let theirs = serde_json::from_str::<Option<Vec<Value>>>(&body).ok().map(Option::unwrap_or_default);
        prop_assert_eq!(ours, theirs);
    }
}
