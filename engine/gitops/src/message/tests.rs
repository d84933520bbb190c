use super::*;

fn facts<'a>(none: &'a (BTreeMap<ClusterId, Change<'a>>, Done, Said, BTreeMap<ClusterId, Hold>, BTreeSet<String>)) -> Facts<'a> {
    let (clusters, done, said, held, ended) = none;
    let source = "1234567890123456789012345678901234567890".parse().unwrap();
    Facts {
        run: "0f0e",
        fleet: "example",
        template: None,
        source,
        clusters,
        done,
        put_right: &[],
        parent: None,
        output: None,
        said,
        held,
        ended,
        plan: None,
    }
}

#[test]
fn i8_the_engine_reads_its_own_trailers_and_nobody_elses() {
    let none = Default::default();
    let text = message(&facts(&none));
    assert!(text.starts_with("Render engine-owned files\n\n"), "{text}");
    assert_eq!(trailers(&text).unwrap().run, "0f0e");
    assert_eq!(trailers("Quote\n\nFleet-Run: 1\n\nbut that was not me"), None);
    assert_eq!(trailers(""), None);
}
