use crate::support::{ferrofleet, git, output};
use std::path::Path;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");

fn images(home: &Path, args: &[&str]) -> crate::support::Output {
    output(ferrofleet(home).arg("images").args(args))
}

#[test]
fn the_bill_of_the_example() {
    let home = tempfile::tempdir().unwrap();
    let text = images(home.path(), &[EXAMPLE]).expect(0);
    assert_eq!(text.stderr, "");
    insta::assert_snapshot!("images_text", text.stdout);
    let json = images(home.path(), &[EXAMPLE, "--cluster", "shop", "-o", "json"]).expect(0).stdout;
    insta::assert_snapshot!("images_json", json);
    let yaml = images(home.path(), &[EXAMPLE, "--cluster", "shop", "-o", "yaml"]).expect(0).stdout;
    assert!(yaml.starts_with("- reference: ghcr.io/kube-vip/kube-vip:"), "{yaml}");
}

#[test]
fn of_a_branch_of_a_remote() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    git(home, &["init", "-q", "--bare", "fleet.git"]);
    git(home, &["init", "-q", "work"]);
    let copy = format!("cp -r '{EXAMPLE}'/. work/");
    assert!(std::process::Command::new("bash").args(["-c", &copy]).current_dir(home).status().unwrap().success());
    git(home, &["-C", "work", "add", "--all"]);
    git(home, &["-C", "work", "commit", "-q", "-m", "The example"]);
    git(home, &["-C", "work", "push", "-q", "../fleet.git", "HEAD:refs/heads/main"]);
    let remote = images(home, &["--repo", "fleet.git"]).expect(0);
    assert_eq!(remote.stdout, images(home, &["work"]).expect(0).stdout);
    let missing = images(home, &["--repo", "fleet.git", "--branch", "nope"]).expect(1);
    assert!(missing.stderr.starts_with("error: the remote has no branch `nope`"), "{}", missing.stderr);
}

#[test]
fn a_name_that_is_nearly_right() {
    let home = tempfile::tempdir().unwrap();
    let near = images(home.path(), &[EXAMPLE, "--cluster", "biling"]).expect(64);
    assert_eq!(
        near.stderr,
        "error: there is no cluster biling with a readable definition\nhint: did you mean billing?\n"
    );
}

/// I6: a broken cluster makes the bill incomplete, and is no reason to leave the others out.
#[test]
fn a_bill_with_a_hole_is_said_to_have_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let copy = format!("cp -r '{EXAMPLE}' work && mkdir work/stages/x && echo 'kind: [' > work/stages/x/cluster.yaml");
    assert!(std::process::Command::new("bash").args(["-c", &copy]).current_dir(home).status().unwrap().success());
    let holed = images(home, &["work"]).expect(1);
    assert!(holed.stderr.contains("stages/x/cluster.yaml"), "{}", holed.stderr);
    assert!(holed.stdout.contains("ghcr.io/kube-vip/kube-vip"), "{}", holed.stdout);
}
