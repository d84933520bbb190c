//! One of several providers acts; credentials change while it runs.

use base64::Engine as _;
use ferrofleet_tests::provider::Site;
use serde_json::{Value, json};

fn holder(site: &Site) -> String {
    let lease = site.get("Lease", "6fca141d.cluster.x-k8s.io").unwrap_or_default();
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_second_takes_over_when_the_first_ends() {
    let Some(site) = Site::new() else { return };
    let namespace = site.namespace.clone();
    let flags = ["--leader-elect", "true", "--leader-elect-namespace", namespace.as_str()];
    let first = site.provider_with(&flags);
    let held = |site: &Site| {
        let holder = holder(site);
        if holder.is_empty() { Err("nobody leads") } else { Ok(holder) }
    };
    let leader = site.until("the first leads", || held(&site));
    let mut second = site.provider_with(&flags);
    site.until("the second waits", || {
        let log = second.log();
        if log.contains("waiting for the lease") { Ok(()) } else { Err(log) }
    });
    site.cluster("shop", &json!({}));
    site.until_ready("MetalStackCluster", "shop");
    assert_eq!(holder(&site), leader);
    assert!(!second.log().contains("reconciling"), "{}", second.log());
    assert!(second.is_running());

    assert!(first.stop(), "it ends well");
    assert_ne!(holder(&site), leader, "it gave the lease back");
    let next = site.until("the second leads", || held(&site));
    assert_ne!(next, leader);
    site.cluster("web", &json!({}));
    site.until_ready("MetalStackCluster", "web");
    assert_eq!((site.count("created network"), site.count("created ip")), (2, 2));
}

/// The one that waits dies with nobody's loss; the one that leads is followed once its lease has run out.
#[test]
fn a_killed_leader_is_followed() {
    let Some(site) = Site::new() else { return };
    let namespace = site.namespace.clone();
    let flags = ["--leader-elect", "true", "--leader-elect-namespace", namespace.as_str()];
    let first = site.provider_with(&flags);
    site.until("the first leads", || if holder(&site).is_empty() { Err("nobody leads") } else { Ok(()) });
    let leader = holder(&site);
    let _second = site.provider_with(&flags);
    first.kill();
    site.until("the second leads", || {
        let holder = holder(&site);
        if holder == leader || holder.is_empty() { Err(holder) } else { Ok(()) }
    });
    site.cluster("shop", &json!({}));
    site.until_ready("MetalStackCluster", "shop");
}

fn credentials(site: &Site, key: &str, kind: &str) {
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let url = site.sim.url();
    let data = json!({"api-url": encoded(&url), "api-hmac": encoded(key), "api-hmac-auth-type": encoded(kind)});
    site.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "metal"}, "data": data}));
}

#[test]
fn credentials_of_a_cluster_change_while_it_runs() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider_without_credentials();
    site.cluster("shop", &json!({"credentialsRef": {"name": "metal"}}));
    site.until_condition("MetalStackCluster", "shop", "NodeNetworkReady", "False", "CredentialsMissing");
    credentials(&site, "a wrong key", "Metal-Edit");
    site.until_condition("MetalStackCluster", "shop", "Ready", "False", "Unauthorized");
    assert_eq!(site.effects(), Vec::<String>::new());
    let keys = ferrofleet_tests::provider::landscape().auth;
    credentials(&site, &keys.edit, "Metal-Edit");
    let shop = site.until_ready("MetalStackCluster", "shop");
    let of = |name: &str| site.sim.calls().iter().filter(|call| call.user == name).count();
    assert!(of("Metal-Edit") > 0 && of("Metal-Admin") == 0);

    // Revoked: what is ready stays so, and nothing is asked too often.
    credentials(&site, "a wrong key", "Metal-Edit");
    let denied = |site: &Site| site.sim.calls().iter().filter(|call| call.status == 403 || call.status == 401).count();
    let before = denied(&site);
    site.until("it is denied", || if denied(&site) > before { Ok(()) } else { Err("not yet") });
    let now = site.read("MetalStackCluster", "shop");
    assert_eq!(now["status"]["conditions"], shop["status"]["conditions"], "Ready does not flap");
    credentials(&site, &keys.admin, "Metal-Admin");
    site.until("the new key is used", || if of("Metal-Admin") > 0 { Ok(()) } else { Err("not yet") });
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
}

/// R12.
/// A namespace that is deleted takes its Secrets first, and then no other can be made.
#[test]
fn credentials_outlive_what_has_to_be_freed_with_them() {
    let Some(site) = Site::new() else { return };
    let provider = site.provider_without_credentials();
    let keys = ferrofleet_tests::provider::landscape().auth;
    credentials(&site, &keys.edit, "Metal-Edit");
    site.cluster("shop", &json!({"credentialsRef": {"name": "metal"}}));
    site.until_ready("MetalStackCluster", "shop");
    site.delete("Secret", "metal");
    assert!(site.read("Secret", "metal")["metadata"]["deletionTimestamp"].is_string(), "it is held");
    // A provider that starts anew knows nothing of what it said.
    provider.kill();
    let _provider = site.provider_without_credentials();
    site.delete_whole_cluster("shop");
    site.until_nothing_is_left();
    site.until_gone("Secret", "metal");
}

#[test]
fn credentials_of_the_cloud_controller_manager_are_written_and_follow_their_source() {
    let Some(site) = Site::new() else { return };
    let _provider = site.provider();
    site.cluster("shop", &json!({}));
    site.annotate("MetalStackCluster", "shop", "fleet.metal-stack.io/ccm-credentials", Some("metal"));
    let of = "CloudControllerCredentialsReady";
    site.until_condition("MetalStackCluster", "shop", of, "False", "CredentialsMissing");
    assert!(site.get("Secret", "shop-metal-ccm").is_none());
    credentials(&site, "the-first-key", "Metal-Edit");
    site.until_condition("MetalStackCluster", "shop", of, "True", "Written");
    let manifests = |site: &Site| {
        let secret = site.read("Secret", "shop-metal-ccm");
        assert_eq!(secret["type"], "addons.cluster.x-k8s.io/resource-set");
        let data: Vec<Value> = secret["data"].as_object().unwrap().values().cloned().collect();
        let text = base64::engine::general_purpose::STANDARD.decode(data[0].as_str().unwrap()).unwrap();
        String::from_utf8(text).unwrap()
    };
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let has = |text: &str, key: &str| text.contains(key) || text.contains(&encoded(key));
    let first = manifests(&site);
    assert!(has(&first, "the-first-key"), "{first}");
    assert!(first.contains("cloud-controller-manager") && first.contains("kube-system"), "{first}");
    credentials(&site, "the-next-key", "Metal-Edit");
    site.until("it follows", || {
        let now = manifests(&site);
        if has(&now, "the-next-key") && !has(&now, "the-first-key") { Ok(()) } else { Err(now) }
    });
}

/// Probes and metrics, as a pod has them; the one that waits for the lease is ready to take over.
#[test]
fn health_and_metrics_are_served() {
    let Some(site) = Site::new() else { return };
    let address = {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        held.local_addr().unwrap().to_string()
    };
    let provider = site.provider_with(&["--listen", &address]);
    let get = |path: &str| -> Result<String, String> {
        let mut answer = ureq::get(format!("http://{address}{path}")).call().map_err(|e| e.to_string())?;
        answer.body_mut().read_to_string().map_err(|e| e.to_string())
    };
    site.until("it lives", || get("/healthz"));
    site.until("it is ready", || get("/readyz"));
    site.whole_cluster("shop", &[]);
    let metrics = site.until("its work is counted", || {
        let text = get("/metrics")?;
        let has = |name: &str| text.lines().any(|line| line.starts_with(name));
        let is = has("ferrofleet_metal_requests_total{op=\"firewall_allocate\"")
            && has("ferrofleet_provider_firewall_healthy")
            && has("ferrofleet_provider_passes_total");
        if is { Ok(text) } else { Err(text) }
    });
    assert!(!metrics.contains(&site.sim.env()[1].1), "I7");
    assert!(provider.stop(), "it ends well");
}
