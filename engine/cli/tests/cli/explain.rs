use crate::support::run;

#[test]
fn a_field_with_what_its_schema_says() {
    insta::assert_snapshot!("explain_leaf", run(&["explain", "ClusterDefinition.spec.pools.size"]).expect(0).stdout);
    insta::assert_snapshot!(
        "explain_choice",
        run(&["explain", "fleet.spec.managementClusters.gitops"]).expect(0).stdout
    );
    insta::assert_snapshot!("explain_object", run(&["explain", "cluster.spec.network"]).expect(0).stdout);
    insta::assert_snapshot!("explain_tree", run(&["explain", "policy.spec.regions", "--recursive"]).expect(0).stdout);
}

#[test]
fn what_a_change_of_it_does() {
    let said = |path: &str| run(&["explain", path]).expect(0).stdout;
    let vip = said("cluster.spec.vip.network");
    assert!(vip.contains("\nCHANGE:\n  immutable: the address is in every kubeconfig"), "{vip}");
    for none in ["cluster.spec.vip", "overlay.spec.definition.vip.network", "policy.metadata.name", "lock.values.vip"] {
        assert!(!said(none).contains("CHANGE:"), "{none}");
    }
}

#[test]
fn the_same_for_machines() {
    let json = run(&["explain", "lock.values.vip", "-o", "json"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["kind"], &json["field"]), (&"ClusterLock".into(), &"values.vip".into()));
    assert!(json["fields"].as_array().unwrap().iter().any(|field| field["field"] == "address"), "{json}");
    let yaml = run(&["explain", "lock.values.vip", "-o", "yaml"]).expect(0).stdout;
    assert!(yaml.starts_with("kind: ClusterLock\nfield: values.vip\ntype: object\n"), "{yaml}");
    let kinds = run(&["explain", "-o", "json"]).expect(0).stdout;
    assert!(kinds.contains("\"kind\": \"ClusterPolicy\""), "{kinds}");
}

#[test]
fn what_is_not_there_names_what_is_near() {
    for (path, said) in [
        ("cluster.spec.pols", "error: ClusterDefinition.spec has no field pols\nhint: did you mean pools?\n"),
        (
            "cluster.spec.vip.mode.x",
            "error: ClusterDefinition.spec.vip.mode has no field x\nhint: ClusterDefinition.spec.vip.mode is a value without fields\n",
        ),
        ("clutser.spec", "error: there is no kind clutser\nhint: did you mean cluster?\n"),
    ] {
        let unknown = run(&["explain", path]).expect(64);
        assert_eq!((unknown.stdout.as_str(), unknown.stderr.as_str()), ("", said));
    }
}
