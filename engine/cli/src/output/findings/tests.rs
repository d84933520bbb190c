use super::*;
use model::Place;

fn place() -> Place {
    Place {
        file: "stages/development/clusters/shop/cluster.yaml".to_owned(),
        line: 12,
        column: 5,
        width: 7,
        text: "    replica: 3".to_owned(),
    }
}

fn check(finding: &Finding, expected: &str) {
    let text = text(std::slice::from_ref(finding));
    assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
}

#[test]
fn i8_file_line_column_rule_and_mend() {
    let finding = Finding::error("unknown-field", place(), "unknown field `replica`")
        .field("spec.pools[0].replica")
        .mend("write `replicas`");
    check(
        &finding,
        "error[unknown-field]: unknown field `replica`
  --> stages/development/clusters/shop/cluster.yaml:12:5
   |
12 |     replica: 3
   |     ^^^^^^^
   = mend: write `replicas`

",
    );
}

#[test]
fn a_finding_about_a_whole_file_has_no_line() {
    let finding = Finding::warning("engine-owned-file", Place::file("rendered/x.yaml"), "changed by a person");
    check(&finding, "warning[engine-owned-file]: changed by a person\n --> rendered/x.yaml\n\n");
}

#[test]
fn what_people_wrote_cannot_move_the_cursor() {
    let place = Place { text: "\tname: \u{1b}[2Jx".to_owned(), column: 2, width: 99, ..place() };
    let finding = Finding::error("bad-name", place, "`\u{1b}[2Jx` is no name");
    let shown = text(&[finding]);
    let shown = anstream::adapter::strip_str(&shown).to_string();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(shown.contains("12 |  name: \\u{1b}[2Jx\n   |  ^^^^^^^^^^^^^^^^\n"), "{shown}");
}

#[test]
fn a_column_outside_of_the_shortened_text_is_not_underlined() {
    let place = Place { column: 400, ..place() };
    let shown = text(&[Finding::error("too-long", place, "too long")]);
    assert!(!shown.contains('^'), "{shown}");
}

#[test]
fn counts_in_words() {
    let findings =
        [Finding::error("a", place(), ""), Finding::warning("b", place(), ""), Finding::warning("c", place(), "")];
    let text = Counts::of(&findings).text("fine");
    assert_eq!(anstream::adapter::strip_str(&text).to_string(), "1 error, 2 warnings");
    assert_eq!(anstream::adapter::strip_str(&Counts::default().text("fine")).to_string(), "fine");
}

#[test]
fn github_commands_cannot_be_injected() {
    let finding = Finding::error("a", place(), "first\n::set-output name=x::y 100%").mend("so");
    assert_eq!(
        github::text(&[finding]),
        "::error file=stages/development/clusters/shop/cluster.yaml,line=12,endLine=12,col=5,endColumn=12,\
         title=a::first%0A::set-output name=x::y 100%25%0Aso\n"
    );
}

#[test]
fn sarif_names_rule_and_region() {
    let findings =
        [Finding::error("a-rule", place(), "wrong").mend("so"), Finding::warning("b", Place::file("x"), "hm")];
    let log = sarif::log(&findings);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"], serde_json::json!([{"id": "a-rule"}, {"id": "b"}]));
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["message"]["text"], "wrong\nso");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(*region, serde_json::json!({"startLine": 12, "startColumn": 5, "endColumn": 12}));
    let whole_file = &log["runs"][0]["results"][1]["locations"][0]["physicalLocation"];
    assert_eq!(*whole_file, serde_json::json!({"artifactLocation": {"uri": "x"}}));
}
