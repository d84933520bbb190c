//! Without a management cluster: with one it is in `tests/manifests`.

use crate::support::{ferrofleet, output};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fleet-example");

#[test]
fn a_management_cluster_must_be_there() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let diff = |args: &[&str]| output(ferrofleet(home).args(["diff", EXAMPLE]).args(args));
    let unnamed = diff(&[]).expect(1);
    assert!(unnamed.stderr.contains("name one with --kubeconfig FILE"), "{}", unnamed.stderr);
    let missing = diff(&["--kubeconfig", "missing.yaml"]).expect(1);
    assert!(missing.stderr.starts_with("error: missing.yaml cannot be used\n"), "{}", missing.stderr);
    let elsewhere = diff(&["--management-cluster", "mgmt-fra"]).expect(64);
    assert_eq!(
        elsewhere.stderr,
        "error: no cluster belongs to a management cluster mgmt-fra\nhint: management clusters here: mgmt-muc\n"
    );
    // Nobody listens there; the answer is not "nothing differs".
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: x\n\
        contexts: [{name: x, context: {cluster: x, user: x}}]\n\
        clusters: [{name: x, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: x, user: {token: canary}}]\n";
    std::fs::write(home.join("config.yaml"), kubeconfig).unwrap();
    let silent = diff(&["--kubeconfig", "config.yaml", "-o", "json"]).expect(1);
    assert_eq!(silent.stdout, "");
    // Once, and (I7) without what the kubeconfig holds.
    assert!(
        silent.stderr.starts_with("error: the API server https://127.0.0.1:1/ does not answer\n"),
        "{}",
        silent.stderr
    );
    assert!(silent.stderr.lines().count() == 2 && !silent.stderr.contains("canary"), "{}", silent.stderr);
    let context = diff(&["--kubeconfig", "config.yaml", "--context", "nope"]).expect(1);
    assert!(context.stderr.contains("nope"), "{}", context.stderr);
}
