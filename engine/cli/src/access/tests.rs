use super::*;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use gitops::Live as _;
use model::{MachineId, NetworkId};
use serde_json::json;
use std::sync::{Arc, Mutex as Locked};

const ID: &str = "10000000-0000-4000-8000-000000000004";

fn cluster(annotations: &Value) -> Value {
    json!({
        "metadata": {"name": "shop", "namespace": "default", "annotations": annotations},
        "spec": {"infrastructureRef": {"kind": "MetalStackCluster", "name": "shop"}},
    })
}

fn objects(of: &[(&str, Value)]) -> Objects {
    let mut objects = Objects::new();
    for (kind, object) in of {
        objects.entry((*kind).to_owned()).or_default().push(object.clone());
    }
    objects
}

#[test]
fn r2_a_guard_of_either_tool_is_a_guard() {
    for (annotations, may_be_pruned) in [
        (json!({}), true),
        (json!(null), true),
        (json!({"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}), false),
        (json!({"argocd.argoproj.io/sync-options": "Delete=false, Prune=false"}), false),
        (json!({"argocd.argoproj.io/sync-options": "Delete=false"}), true),
        (json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"}), false),
        (json!({"kustomize.toolkit.fluxcd.io/prune": "enabled"}), true),
    ] {
        let seen = seen::seen(Some(&cluster(&annotations)), &Objects::new());
        assert_eq!((seen.has_cluster, seen.may_be_pruned), (true, may_be_pruned), "{annotations}");
    }
    assert_eq!(seen::seen(None, &Objects::new()), Seen::default());
}

#[test]
fn what_the_provider_filled_in_is_read_from_the_objects_that_the_cluster_names() {
    let other = json!({"metadata": {"name": "other"}, "spec": {"nodeNetworkID": "of-another"}});
    let infrastructure = |endpoint: &str| {
        json!({"metadata": {"name": "shop"}, "spec": {
            "nodeNetworkID": "node-1",
            "controlPlaneEndpoint": {"host": endpoint, "port": 443},
            "controlPlaneIP": "198.18.0.9",
            "firewallDeploymentRef": {"name": "shop"},
        }})
    };
    let firewall =
        json!({"metadata": {"name": "shop"}, "spec": {"managedResourceRef": {"name": format!("metal://muc-a/{ID}")}}});
    let values = |endpoint: &str| {
        let all = objects(&[
            ("MetalStackCluster", other.clone()),
            ("MetalStackCluster", infrastructure(endpoint)),
            ("MetalStackFirewallDeployment", firewall.clone()),
        ]);
        seen::seen(Some(&cluster(&json!({}))), &all).values
    };
    let found = values("198.18.0.1");
    assert_eq!(found.node_network, NetworkId::parse("node-1").ok());
    assert_eq!((found.vip, found.firewall), ("198.18.0.1".parse().ok(), MachineId::parse(ID).ok()));
    assert_eq!(values("").vip, "198.18.0.9".parse().ok());
    // A name that leads nowhere is not an address.
    assert_eq!(values("api.example.com").vip, None);
    // Two, and nothing that says which: nothing is read.
    let two = objects(&[("MetalStackCluster", other.clone()), ("MetalStackCluster", infrastructure("x"))]);
    assert_eq!(seen::seen(None, &two).values, model::live::SeenValues::default());
}

#[test]
fn what_is_left_is_named_up_to_a_number() {
    let machines: Vec<_> = (0..25).map(|n| ("Machine", json!({"metadata": {"name": format!("m-{n:02}")}}))).collect();
    let left = seen::seen(None, &objects(&machines)).left;
    assert_eq!((left.len(), left[0].as_str(), left[20].as_str()), (21, "Machine/m-00", "5 more"));
}

/// An API server with a fixed answer per path; everything else is not found.
struct Plane {
    answers: Arc<Locked<BTreeMap<String, (StatusCode, Value)>>>,
    access: Access,
    _dir: tempfile::TempDir,
}

impl Plane {
    async fn new() -> Self {
        let answers: Arc<Locked<BTreeMap<String, (StatusCode, Value)>>> = Arc::default();
        let shared = answers.clone();
        let answer = move |uri: Uri| {
            let found = shared.lock().unwrap().get(uri.path()).cloned();
            let missing = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "not found"});
            let (code, body) = found.unwrap_or((StatusCode::NOT_FOUND, missing));
            async move { (code, Json(body)).into_response() }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "mgmt",
            "clusters": [{"name": "mgmt", "cluster": {"server": format!("http://{address}")}}],
            "contexts": [{"name": "mgmt", "context": {"cluster": "mgmt", "user": "engine"}}],
            "users": [{"name": "engine", "user": {"token": "canary-token"}}],
        });
        std::fs::write(&file, config.to_string()).unwrap();
        let args = KubeArgs { kubeconfig: Some(file), context: None };
        let access = Access::new([(Label::parse("mgmt-muc").unwrap(), args)]);
        Self { answers, access, _dir: dir }
    }

    fn answers(&self, path: &str, body: Value) {
        self.answers.lock().unwrap().insert(path.to_owned(), (StatusCode::OK, body));
    }

    fn refuses(&self, path: &str) {
        let body = json!({"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "engine may not"});
        self.answers.lock().unwrap().insert(path.to_owned(), (StatusCode::FORBIDDEN, body));
    }

    fn serves(&self, group: &str, version: &str, kinds: &[(&str, &str)]) {
        let resource = |(kind, plural): &(&str, &str)| json!({"name": plural, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get", "list"]});
        let resources: Vec<_> = kinds.iter().map(resource).collect();
        let group_version = format!("{group}/{version}");
        self.answers(
            &format!("/apis/{group_version}"),
            json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}),
        );
        for (_, plural) in kinds {
            self.lists(&group_version, plural, &[]);
        }
    }

    fn lists(&self, group_version: &str, plural: &str, items: &[Value]) {
        let list = json!({"apiVersion": group_version, "kind": "List", "metadata": {}, "items": items});
        self.answers(&format!("/apis/{group_version}/namespaces/default/{plural}"), list);
    }

    async fn look(&self) -> Option<Result<Seen, String>> {
        let name = Label::parse("mgmt-muc").unwrap();
        self.access.look(&name, &"default.shop".parse().unwrap()).await
    }
}

#[tokio::test]
async fn only_a_management_cluster_that_answers_says_that_something_is_gone() {
    let plane = Plane::new().await;
    let unknown = Label::parse("elsewhere").unwrap();
    assert_eq!(plane.access.look(&unknown, &"default.shop".parse().unwrap()).await, None);
    let said = |looked: Option<Result<Seen, String>>| looked.unwrap().unwrap_err();
    let why = said(plane.look().await);
    assert!(why.contains("does not serve Cluster API's Clusters"), "{why}");
    let kinds = [("Cluster", "clusters"), ("Machine", "machines"), ("MachineDeployment", "machinedeployments")];
    plane.serves(CLUSTER_API, "v1beta2", &kinds);
    let why = said(plane.look().await);
    assert!(why.contains("does not serve MetalStackCluster"), "{why}");
    plane.serves(INFRASTRUCTURE, "v1alpha1", &[("MetalStackCluster", "metalstackclusters")]);
    let why = said(plane.look().await);
    assert!(why.contains("no namespace default"), "{why}");
    plane.answers(
        "/api/v1/namespaces/default",
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": "default"}}),
    );
    assert_eq!(plane.look().await, Some(Ok(Seen::default())));
    let machines = format!("/apis/{CLUSTER_API}/v1beta2/namespaces/default/machines");
    plane.refuses(&machines);
    let why = said(plane.look().await);
    assert!(why.contains("Machines cannot be listed: engine may not") && !why.contains("canary"), "{why}");
    plane.lists(&format!("{CLUSTER_API}/v1beta2"), "machines", &[json!({"metadata": {"name": "shop-1"}})]);
    let object = cluster(&json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"}));
    plane.answers(&format!("/apis/{CLUSTER_API}/v1beta2/namespaces/default/clusters/shop"), object);
    let seen = plane.look().await.unwrap().unwrap();
    assert_eq!((seen.has_cluster, seen.may_be_pruned, seen.left), (true, false, vec!["Machine/shop-1".to_owned()]));
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_is_words() {
    let args = KubeArgs { kubeconfig: Some("/nowhere/kubeconfig".into()), context: None };
    let access = Access::new([(Label::parse("mgmt-muc").unwrap(), args)]);
    let looked = access.look(&Label::parse("mgmt-muc").unwrap(), &"default.shop".parse().unwrap()).await;
    let why = looked.unwrap().unwrap_err();
    assert!(why.starts_with("/nowhere/kubeconfig cannot be read"), "{why}");
}
