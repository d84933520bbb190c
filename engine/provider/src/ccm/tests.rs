use super::*;
use crate::capi::ClusterSpec;
use serde_json::Value;

fn cluster() -> Cluster {
    let mut cluster = Cluster::new("shop", ClusterSpec::default());
    cluster.metadata.uid = Some("cluster-uid".to_owned());
    cluster
}

fn values() -> Revealed {
    Revealed {
        url: "https://metal.example.com/metal".to_owned(),
        auth_type: "Metal-Edit",
        key: "hunter2".to_owned().into(),
    }
}

fn written() -> Secret {
    wanted(&cluster(), "default", &manifest(&values()))
}

#[track_caller]
fn judged(change: impl FnOnce(&mut Secret)) -> Found {
    let mut secret = written();
    change(&mut secret);
    judge(Some(&secret), &cluster(), &manifest(&values()))
}

#[test]
fn the_secret_holds_what_the_cloud_controller_manager_reads() {
    let secret = serde_json::to_value(written()).unwrap();
    assert_eq!(secret["metadata"]["name"], "shop-metal-ccm");
    assert_eq!(secret["type"], "addons.cluster.x-k8s.io/resource-set");
    assert_eq!(secret["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"], "shop");
    let owner = &secret["metadata"]["ownerReferences"][0];
    assert_eq!((owner["kind"].as_str(), owner["uid"].as_str()), (Some("Cluster"), Some("cluster-uid")));
    let manifest: Value = serde_json::from_str(&manifest(&values())).unwrap();
    assert_eq!(manifest["metadata"], json!({"name": "cloud-controller-manager", "namespace": "kube-system"}));
    let said = |key: &str| String::from_utf8(BASE64.decode(manifest["data"][key].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(said("api-url"), "https://metal.example.com/metal");
    assert_eq!(said("api-hmac"), "hunter2");
    assert_eq!(said("api-hmac-auth-type"), "Metal-Edit");
}

#[test]
fn it_is_written_when_it_is_not_there_or_not_as_it_should_be() {
    assert_eq!(judge(None, &cluster(), ""), Found::Nothing);
    assert_eq!(judged(|_| {}), Found::Current);
    let rotated = Revealed { key: "hunter3".to_owned().into(), ..values() };
    assert_eq!(judge(Some(&written()), &cluster(), &manifest(&rotated)), Found::Outdated);
    assert_eq!(judged(|secret| secret.data = None), Found::Outdated);
    assert_eq!(judged(|secret| secret.metadata.labels = None), Found::Outdated);
    let former = |secret: &mut Secret| secret.metadata.owner_references.as_mut().unwrap()[0].uid = "former".to_owned();
    assert_eq!(judged(former), Found::Outdated);
}

#[test]
fn a_secret_of_a_person_stays() {
    assert_eq!(judged(|secret| secret.metadata.owner_references = None), Found::Foreign);
    assert_eq!(judged(|secret| secret.type_ = Some("Opaque".to_owned())), Found::Foreign);
    let other = |secret: &mut Secret| secret.metadata.owner_references.as_mut().unwrap()[0].name = "other".to_owned();
    assert_eq!(judged(other), Found::Foreign);
    // The ClusterResourceSet makes itself an owner of whatever it applies.
    let set = |secret: &mut Secret| {
        let owner = &mut secret.metadata.owner_references.as_mut().unwrap()[0];
        (owner.api_version, owner.kind) =
            ("addons.cluster.x-k8s.io/v1beta2".to_owned(), "ClusterResourceSet".to_owned());
    };
    assert_eq!(judged(set), Found::Foreign);
}

#[test]
fn a_refusal_is_said_and_what_passes_by_itself_is_tried_again() {
    let answer = |code: u16, reason: &str, message: &str| {
        let status = kube::core::Status::failure(message, reason).with_code(code);
        refused("written", "shop-metal-ccm", kube::Error::Api(Box::new(status)).into())
    };
    let said = |answer: Result<Credentials, Error>| match answer {
        Ok(Credentials::Missing(message)) => message,
        other => panic!("{other:?}"),
    };
    assert!(said(answer(403, "Forbidden", "denied by policy no-such-secrets")).contains("no-such-secrets"));
    for (code, reason) in [(400, "BadRequest"), (422, "Invalid"), (500, "InternalError")] {
        let message = said(answer(code, reason, "data: Invalid value: hunter2"));
        assert!(message.contains(reason) && !message.contains("hunter2"), "{message}");
    }
    // Of the Secret: the cluster itself is not gone.
    for code in [404, 409] {
        assert!(matches!(answer(code, "", ""), Err(Error::Conflict)), "{code}");
    }
}

#[test]
fn i7_the_key_is_in_no_debug() {
    assert!(!format!("{:?}", values()).contains("hunter2"));
}
