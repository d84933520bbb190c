mod sample;

use super::*;
use crate::commands::doctor::facts::{Cluster, Firewall, Lease, MetalState, Release, Right, Trouble};
use crate::commands::doctor::managers::Role;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use model::Timestamp;
use sample::{CLUSTER_CRD, facts, manager, release};
use std::collections::{BTreeMap, BTreeSet};

fn unread(forbidden: bool) -> Unread {
    Unread { forbidden, why: "no".to_owned() }
}

#[test]
fn when_everything_is_well_everything_is_ok() {
    let checks = examine(&facts());
    let others: Vec<_> = checks.iter().filter(|check| check.state != State::Ok || check.mend.is_some()).collect();
    assert!(others.is_empty(), "{others:#?}");
    let names: BTreeSet<_> = checks.iter().map(|check| check.check).collect();
    let expected = [
        "add-on-provider",
        "admission-policy",
        "api-server",
        "cluster-api-kinds",
        "cluster-api-version",
        "cluster-topology",
        "credentials",
        "endpoint",
        "feature-gates",
        "firewall",
        "kinds",
        "metal-api",
        "node-network",
        "one-provider",
        "partitions",
        "projects",
        "rights",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}

/// What is otherwise, the check that says so, its state, its words, its mend.
type Case = (fn(&mut Facts), &'static str, State, &'static str, &'static str);

/// Each changes one thing, and one check alone says so.
#[track_caller]
fn each_is_found(cases: &[Case]) {
    let well = examine(&facts());
    for (change, check, state, words, mend) in cases {
        let mut facts = facts();
        change(&mut facts);
        let found: Vec<_> = examine(&facts).into_iter().filter(|check| !well.contains(check)).collect();
        let hits: Vec<_> = found.iter().filter(|found| found.check == *check && found.state == *state).collect();
        assert_eq!(hits.len(), 1, "{check} {words}: {found:#?}");
        let mended = hits[0].mend.as_deref().unwrap_or_default();
        assert!(hits[0].why.contains(words) && mended.contains(mend), "{:#?}", hits[0]);
        let bad = found.iter().filter(|found| matches!(found.state, State::Warning | State::Failed)).count();
        assert!(bad <= 1, "{found:#?}");
    }
}

#[test]
fn the_api_server_and_cluster_api() {
    use State::{Failed, Ok as Well, Skipped, Warning};
    each_is_found(&[
        (|f| f.version = Ok(release("v1.29.4")), "api-server", Warning, "supports Kubernetes 1.30 to 1.34", "together"),
        (|f| f.version = Err(unread(false)), "api-server", Failed, "does not answer: no", "kubeconfig"),
        (
            |f| f.manager(Role::Core).version = Some(release("v1.99.0")),
            "api-server",
            Well,
            "whether Cluster API v1.99.0 supports it is not known here",
            "",
        ),
        (
            |f| drop(f.plane().crds.insert("clusters.cluster.x-k8s.io".to_owned(), Ok(None))),
            "cluster-api-kinds",
            Failed,
            "not there: clusters.cluster.x-k8s.io",
            "clusterctl init",
        ),
        (
            |f| f.crd("machines.cluster.x-k8s.io").spec.versions[0].name = "v1beta1".to_owned(),
            "cluster-api-kinds",
            Failed,
            "not served as v1beta2: machines.cluster.x-k8s.io (v1beta1)",
            "1.11",
        ),
        (
            |f| {
                let name = "kubeadmcontrolplanes.controlplane.cluster.x-k8s.io".to_owned();
                f.plane().crds.insert(name, Ok(None));
            },
            "cluster-api-kinds",
            Warning,
            "only clusters with hosted control planes do without",
            "",
        ),
        (|f| f.manager(Role::Core).version = Some(release("v1.10.9")), "cluster-api-version", Failed, "needs 1.11", ""),
        (|f| f.manager(Role::Core).version = None, "cluster-api-version", Skipped, "says no version", ""),
        (|f| f.manager(Role::Core).replicas = 0, "cluster-api-version", Warning, "no replicas", "--replicas 1"),
        (
            |f| {
                f.manager(Role::Core).version = None;
                f.plane().inventory.insert("cluster-api".to_owned(), release("v1.12.0"));
            },
            "cluster-api-version",
            Well,
            "v1.12.0",
            "",
        ),
        (
            |f| f.manager(Role::KubeadmBootstrap).gates.clear(),
            "feature-gates",
            Failed,
            "is off in Deployment bootstrap-system/bootstrap",
            "--feature-gates=KubeadmBootstrapFormatIgnition=true",
        ),
        (
            |f| f.manager(Role::KubeadmControlPlane).gates.values_mut().for_each(|gate| *gate = None),
            "feature-gates",
            Warning,
            "cannot be told",
            "kcp-system/kcp",
        ),
        (
            |f| f.plane().managers.as_mut().unwrap().retain(|m| m.role != Role::KubeadmControlPlane),
            "feature-gates",
            Skipped,
            "no Deployment of its manager is there",
            "",
        ),
        (|f| f.manager(Role::Core).gates.clear(), "cluster-topology", Well, "ClusterTopology is off", ""),
        (
            |f| drop(f.plane().crds.insert("helmchartproxies.addons.cluster.x-k8s.io".to_owned(), Ok(None))),
            "add-on-provider",
            Failed,
            "is not there, and default/shop need it",
            "--addon helm",
        ),
        (
            |f| {
                f.plane().crds.insert("helmchartproxies.addons.cluster.x-k8s.io".to_owned(), Ok(None));
                f.spec().wants_charts = false;
            },
            "add-on-provider",
            Skipped,
            "no cluster asks for it",
            "",
        ),
        (|f| f.manager(Role::Helm).replicas = 0, "add-on-provider", Warning, "no Deployment of the add-on", "scale"),
    ]);
}

#[test]
fn the_kinds_and_the_only_provider() {
    use State::{Failed, Ok as Well, Skipped, Warning};
    each_is_found(&[
        (
            |f| drop(f.plane().crds.insert(CLUSTER_CRD.to_owned(), Ok(None))),
            "kinds",
            Failed,
            "is not there",
            "ferrofleet crds | kubectl apply --server-side --force-conflicts -f -",
        ),
        (|f| f.crd(CLUSTER_CRD).metadata.labels = None, "kinds", Failed, "no label cluster.x-k8s.io/v1beta2", ""),
        (|f| f.crd(CLUSTER_CRD).spec.versions[0].served = false, "kinds", Failed, "v1alpha1 is not served", ""),
        (
            |f| f.crd(CLUSTER_CRD).spec.versions[0].additional_printer_columns = None,
            "kinds",
            Warning,
            "differs from this binary's",
            "ferrofleet crds",
        ),
        (
            |f| drop(spec_fields(f).remove("credentialsRef")),
            "kinds",
            Warning,
            "is older than this binary, as CAPMS's are; dropped are spec.credentialsRef",
            "ferrofleet crds",
        ),
        (
            |f| drop(spec_fields(f).insert("colour".to_owned(), Default::default())),
            "kinds",
            Warning,
            "does not know: spec.colour",
            "run the binary that brought these kinds",
        ),
        (|f| f.plane().policy = Ok(None), "admission-policy", Warning, "the policy of machine templates is not", ""),
        (|f| f.plane().binding = Ok(None), "admission-policy", Warning, "the binding of the policy", "ferrofleet crds"),
        (
            |f| {
                let binding = f.plane().binding.as_mut().unwrap().as_mut().unwrap();
                binding.spec.as_mut().unwrap().validation_actions = Some(vec!["Audit".to_owned()]);
            },
            "admission-policy",
            Warning,
            "denies nothing",
            "",
        ),
        (
            |f| f.plane().managers.as_mut().unwrap().push(manager(Role::Capms, "capms", "")),
            "one-provider",
            Warning,
            "Deployment capms-system/capms of CAPMS runs: two providers would act at once",
            "kubectl --namespace capms-system scale deployment capms --replicas 0",
        ),
        (|f| lease(f, "capms-7b_uuid", 5), "one-provider", Warning, "capms-7b_uuid holds the Lease", "--leader-elect"),
        (
            |f| {
                f.plane().denied = Ok(vec![Right {
                    group: "g".to_owned(),
                    resource: "machines/status".to_owned(),
                    verb: "patch".to_owned(),
                }]);
            },
            "rights",
            Failed,
            "may not patch machines/status.g",
            "grant it",
        ),
        // Who may not look has no fault; an API server that fails has.
        (|f| f.plane().leases = Err(unread(true)), "one-provider", Skipped, "Leases cannot be read: no", "as a user"),
        (|f| f.plane().leases = Err(unread(false)), "one-provider", Failed, "Leases cannot be read: no", ""),
    ]);
    // Nobody, one that is gone, and ourselves.
    for (holder, age) in [("", 5), ("capms-7b_uuid", 900), ("ferrofleet-provider-5c_uuid", 5)] {
        let mut facts = facts();
        lease(&mut facts, holder, age);
        let found = examine(&facts).into_iter().find(|check| check.check == "one-provider").unwrap();
        assert_eq!(found.state, Well, "{found:?}");
    }
}

fn spec_fields(facts: &mut Facts) -> &mut BTreeMap<String, JSONSchemaProps> {
    let schema = facts.crd(CLUSTER_CRD).spec.versions[0].schema.as_mut().unwrap();
    let root = schema.open_api_v3_schema.as_mut().unwrap().properties.as_mut().unwrap();
    root.get_mut("spec").unwrap().properties.as_mut().unwrap()
}

fn lease(facts: &mut Facts, holder: &str, age: i64) {
    let renewed = Timestamp::from_second(facts.now.as_second() - age).ok();
    facts.plane().leases = Ok(vec![Lease { namespace: "capms-system".to_owned(), holder: holder.to_owned(), renewed }]);
}

fn denied(skew: bool) -> Trouble {
    Trouble::Denied { skew, text: "Wrong HMAC found".to_owned() }
}

#[test]
fn metal_api() {
    use State::{Failed, Skipped, Warning};
    each_is_found(&[
        (|f| *f.metal() = MetalState::Unwanted, "metal-api", Skipped, "--metal none", ""),
        (|f| *f.metal() = MetalState::Unnamed, "metal-api", Skipped, "nobody says", "set METAL_API_URL"),
        (
            |f| *f.metal() = MetalState::Unusable("no key".to_owned(), "its keys are".to_owned()),
            "metal-api",
            Failed,
            "no key",
            "its keys are",
        ),
        (
            |f| f.answers().version = Err(Trouble::Other("refused".to_owned())),
            "metal-api",
            Failed,
            "https://metal.example.com/metal does not answer: refused",
            "METAL_API_URL",
        ),
        (|f| f.answers().health = Ok((false, "no ipam".to_owned())), "metal-api", Failed, "not well: no ipam", ""),
        (|f| refuse(f, false), "credentials", Failed, "refused: Wrong HMAC found", "was it rotated?"),
        (|f| refuse(f, true), "credentials", Failed, "refused for the time", "NTP"),
        (|f| f.answers().skew = Some(-45), "credentials", Warning, "its clock is 45 s behind this one", "NTP"),
        (
            |f| {
                refuse(f, false);
                f.answers().skew = Some(90);
            },
            "credentials",
            Failed,
            "its clock is 90 s ahead of this one",
            "NTP",
        ),
        (
            |f| f.project().known = Err(Trouble::NotFound("no".to_owned())),
            "projects",
            Failed,
            "does not know it; used by default/shop",
            "spec.projectID",
        ),
        (|f| f.spec().partition = "fra".to_owned(), "partitions", Failed, "does not know it", "known are muc-a"),
    ]);
}

fn refuse(facts: &mut Facts, skew: bool) {
    let answers = facts.answers();
    answers.version = Err(denied(skew));
    answers.health = Err(denied(skew));
    answers.partitions = Err(denied(skew));
    answers.projects.clear();
}

#[test]
fn what_clusters_name_and_where_they_answer() {
    use State::{Failed, Skipped, Warning};
    each_is_found(&[
        (|f| f.spec().network = None, "node-network", Skipped, "none is allocated yet", ""),
        (|f| f.spec().network = Some("m".to_owned()), "node-network", Failed, "no network m in project p", "spec."),
        (|f| f.spec().firewall = Firewall::Unnamed, "firewall", Skipped, "names none", ""),
        (|f| f.spec().firewall = Firewall::Waiting("w".to_owned()), "firewall", Skipped, "none is allocated yet", ""),
        (
            |f| f.spec().firewall = Firewall::NoDeployment("d".to_owned()),
            "firewall",
            Failed,
            "Deployment d",
            "apply it",
        ),
        (|f| f.spec().firewall = Firewall::Named("x".to_owned()), "firewall", Failed, "is `x`", "metal://"),
        (
            |f| f.spec().firewall = Firewall::Named("metal://muc-a/old".to_owned()),
            "firewall",
            Warning,
            "no firewall old, but 10000000",
            "wait",
        ),
        (|f| f.project().firewalls = Ok(BTreeMap::new()), "firewall", Failed, "no firewall 10000000", "replaces it"),
        (|f| f.spec().endpoint = None, "endpoint", Skipped, "no address is allocated yet", ""),
        (
            |f| f.spec().reach = Some(Err("no connection in 3 s".to_owned())),
            "endpoint",
            Warning,
            "198.18.0.1:443 does not answer here: no connection in 3 s",
            "from the management cluster",
        ),
        (
            |f| {
                f.spec().reach = Some(Err("refused".to_owned()));
                f.spec().initialized = Some(false);
            },
            "endpoint",
            Skipped,
            "no control plane was there yet",
            "",
        ),
        (
            |f| {
                f.plane().clusters.as_mut().unwrap().push(Cluster { id: "a/b".to_owned(), spec: Err("no spec".into()) })
            },
            "clusters",
            Warning,
            "nothing that can be used: no spec",
            "projectID",
        ),
        (|f| f.plane().clusters = Err(unread(true)), "clusters", Skipped, "cannot be read", "as a user who may"),
    ]);
}

#[test]
fn nothing_is_green_where_the_api_server_is_silent() {
    let mut facts = facts();
    facts.version = Err(unread(false));
    facts.plane = None;
    facts.answers().projects.clear();
    let checks = examine(&facts);
    let of_server = |check: &&Check| !["metal-api", "credentials"].contains(&check.check);
    assert!(checks.iter().filter(of_server).all(|check| check.state != State::Ok), "{checks:#?}");
    assert_eq!(checks.iter().filter(|check| check.state == State::Failed).count(), 1);
}

#[test]
fn releases_as_programs_write_them() {
    for (text, minor) in [("v1.35.2", (1, 35)), ("1.34", (1, 34)), ("v1.33.4-gke.100", (1, 33)), ("v1.35+", (1, 35))] {
        assert_eq!(release(text).minor, minor, "{text}");
    }
    assert_eq!(Release::parse("latest"), None);
    assert_eq!(Release::parse("v1"), None);
}
