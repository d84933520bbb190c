use super::*;
use crate::auth::signature;
use crate::stub::{Answer, CANARY, Seen, Socket, Stub, client, misbehaving, refusing};
use crate::{AuthType, Error, Scarce, Secret};
use model::AddressFamily;
use model::metal::IpKind;
use serde_json::json;

const PROJECT: &str = "00000000-0000-0000-0000-000000000001";
const MACHINE: &str = "00000000-0000-0000-0000-00000000000a";
const LONG: Duration = Duration::from_secs(5);

fn project() -> ProjectId {
    ProjectId::parse(PROJECT).unwrap()
}

fn error_body(status: u16, message: &str) -> String {
    serde_json::to_string(&wire::HttpError { statuscode: status, message: message.into() }).unwrap()
}

fn ip_request(address: Option<&str>) -> IpRequest {
    IpRequest {
        project: project(),
        network: NetworkId::parse("internet").unwrap(),
        address: address.map(|a| a.parse().unwrap()),
        family: AddressFamily::V4,
        kind: IpKind::Static,
        name: "vip".into(),
        description: String::new(),
        tags: Tags::new(),
    }
}

fn ip_json(address: &str) -> serde_json::Value {
    json!({"ipaddress": address, "allocationuuid": "u", "networkid": "internet", "projectid": PROJECT,
           "type": "static", "tags": null})
}

#[tokio::test]
async fn a_request_is_signed_as_the_real_server_checks_it() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    stub.client().ips(&project(), &Tags::new().with("k", "v")).await.unwrap();
    let seen = &stub.seen()[0];
    assert_eq!(seen.line(), "POST /metal/v1/ip/find");
    assert_eq!(seen.json(), json!({"projectid": PROJECT, "tags": ["k=v"]}));
    assert_eq!((seen.header("content-type"), seen.header("accept")), ("application/json", "application/json"));
    assert_eq!(seen.header("x-date"), "2024-01-02T03:04:05Z");
    let mac = signature(CANARY.as_bytes(), seen.header("x-date"), "POST", seen.header("x-data-salt"));
    assert_eq!(seen.header("authorization"), format!("Metal-Edit {mac}"));
}

#[tokio::test]
async fn null_lists_are_empty_and_absence_is_none() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "null".into())).await;
    let metal = stub.client();
    assert!(metal.networks(&project(), &Tags::new()).await.unwrap().is_empty());
    let id = NetworkId::parse("x").unwrap();
    assert_eq!(metal.get_network(&project(), &id).await.unwrap(), None);
    assert_eq!(metal.get_ip(&project(), "198.18.0.1".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_ignores_the_filter_is_not_believed() {
    let rows = json!([ip_json("198.18.0.2"), ip_json("198.18.0.1")]).to_string();
    let stub = Stub::start(move |_, _| Answer::Plain(200, rows.clone())).await;
    let found = stub.client().get_ip(&project(), "198.18.0.1".parse().unwrap()).await.unwrap();
    assert_eq!(found.unwrap().address.to_string(), "198.18.0.1");
    let none = stub.client().get_ip(&project(), "198.18.0.3".parse().unwrap()).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn shared_networks_are_those_without_a_project() {
    let rows = json!([{"id": "internet", "projectid": ""}, {"id": "foreign", "projectid": PROJECT}]).to_string();
    let stub = Stub::start(move |_, _| Answer::Plain(200, rows.clone())).await;
    let networks = stub.client().shared_networks().await.unwrap();
    assert_eq!(networks.iter().map(|n| n.id.as_str()).collect::<Vec<_>>(), ["internet"]);
    assert_eq!(stub.seen()[0].json(), json!({"projectid": ""}));
}

#[tokio::test]
async fn writes_go_where_v1_has_them() {
    let rows = ip_json("2001:db8::1").to_string();
    let stub = Stub::start(move |_, _| Answer::Plain(201, rows.clone())).await;
    let metal = stub.client();
    let ip = metal.allocate_ip(&ip_request(Some("2001:db8::1"))).await.unwrap();
    assert_eq!(ip.kind, IpKind::Static);
    metal.allocate_ip(&ip_request(None)).await.unwrap();
    metal.free_ip(&project(), ip.address).await.unwrap();
    metal.free_network(&project(), &NetworkId::parse("n-1").unwrap()).await.unwrap();
    metal.free_machine(&project(), &MachineId::parse(MACHINE).unwrap()).await.unwrap();
    let machine_path = format!("DELETE /metal/v1/machine/{MACHINE}/free");
    let lines: Vec<String> = stub.seen().iter().map(Seen::line).collect();
    assert_eq!(
        lines,
        [
            "POST /metal/v1/ip/allocate/2001:db8::1",
            "POST /metal/v1/ip/allocate",
            "DELETE /metal/v1/ip/free/2001:db8::1",
            "DELETE /metal/v1/network/free/n-1",
            &machine_path,
        ]
    );
}

#[tokio::test]
async fn a_read_is_tried_again_and_a_write_never() {
    let stub = Stub::start(|seen, before| match (seen.path.ends_with("find"), before) {
        (true, 0 | 1) => Answer::Plain(500, error_body(500, "Internal x")),
        (true, _) => Answer::Plain(200, "[]".into()),
        (false, _) => Answer::Plain(500, error_body(500, "Internal x")),
    })
    .await;
    stub.client().ips(&project(), &Tags::new()).await.unwrap();
    assert_eq!(stub.seen().len(), 3);
    let error = stub.client().allocate_ip(&ip_request(None)).await.unwrap_err();
    assert!(matches!(&error, Error::Unknown { text, .. } if text.contains("Internal x")), "{error}");
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn tries_of_a_read_are_bounded() {
    let stub = Stub::start(|_, _| Answer::Plain(500, error_body(500, "Internal x"))).await;
    let error = stub.client().ips(&project(), &Tags::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(stub.seen().len(), 3);
}

#[tokio::test]
async fn retry_after_is_obeyed_where_it_fits_and_reported_where_not() {
    let busy = |status, wait: &str| Answer::With(status, "Retry-After", wait.to_owned(), String::new());
    let stub = Stub::start(move |_, before| match before {
        0 => busy(503, "0"),
        1 => Answer::Plain(200, "[]".into()),
        _ => busy(429, "60"),
    })
    .await;
    let metal = stub.client();
    metal.ips(&project(), &Tags::new()).await.unwrap();
    let read = metal.ips(&project(), &Tags::new()).await.unwrap_err();
    assert!(matches!(read, Error::Busy { status: 429, after: Some(w), .. } if w.as_secs() == 60), "{read}");
    assert_eq!(stub.seen().len(), 3, "a minute does not fit into the deadline");
    let write = metal.allocate_ip(&ip_request(None)).await.unwrap_err();
    assert!(matches!(write, Error::Busy { after: Some(_), .. }) && !write.outcome_unknown(), "{write}");
    assert_eq!(stub.seen().len(), 4);
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let metal = client(&refusing().await, LONG);
    for error in [
        metal.allocate_ip(&ip_request(None)).await.unwrap_err(),
        metal.ips(&project(), &Tags::new()).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unreachable { .. }) && !error.outcome_unknown(), "{error}");
    }
}

#[tokio::test]
async fn a_write_without_a_whole_answer_is_unknown_and_a_read_is_not() {
    for socket in [Socket::Cut, Socket::CutBody, Socket::Garbage] {
        let metal = client(&misbehaving(socket).await, LONG);
        let write = metal.allocate_ip(&ip_request(None)).await.unwrap_err();
        assert!(matches!(write, Error::Unknown { .. }) && write.outcome_unknown(), "{socket:?}: {write}");
        let read = metal.ips(&project(), &Tags::new()).await.unwrap_err();
        assert!(!read.outcome_unknown() && read.is_retryable_later(), "{socket:?}: {read}");
    }
}

#[tokio::test]
async fn a_hung_server_is_unknown_for_writes_and_unreachable_for_reads() {
    let stub = Stub::start(|_, _| Answer::Hang).await;
    let metal = stub.impatient();
    let write = metal.allocate_ip(&ip_request(None)).await.unwrap_err();
    assert!(matches!(&write, Error::Unknown { text, .. } if text.contains("300ms")), "{write}");
    let read = metal.ips(&project(), &Tags::new()).await.unwrap_err();
    assert!(matches!(&read, Error::Unreachable { text, .. } if text.contains("300ms")), "{read}");
}

#[tokio::test]
async fn a_2xx_that_cannot_be_read_may_have_happened() {
    for body in ["<html>", "{}", "null", "{\"ipaddress\":\"x\"}"] {
        let stub = Stub::start(move |_, _| Answer::Plain(201, body.into())).await;
        let error = stub.client().allocate_ip(&ip_request(None)).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{body}: {error}");
    }
    let stub = Stub::start(|_, _| Answer::Plain(200, "<html>".into())).await;
    let error = stub.client().ips(&project(), &Tags::new()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { status: 200, .. }), "{error}");
}

#[tokio::test]
async fn answers_are_bounded() {
    let stub = Stub::start(|_, _| Answer::Plain(200, format!("{{\"name\": \"{}\"}}", "x".repeat(5 << 20)))).await;
    let error = stub.client().project(&project()).await.unwrap_err();
    assert!(matches!(&error, Error::Malformed { text, .. } if text.contains("more than 4194304 bytes")), "{error}");
    let stub = Stub::start(|_, _| Answer::Plain(422, "x".repeat(5 << 20))).await;
    let error = stub.client().project(&project()).await.unwrap_err();
    assert!(error.text().chars().count() < 700, "{}", error.text().len());
}

#[tokio::test]
async fn a_redirect_does_not_carry_the_signature_elsewhere() {
    let other = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    let to = other.url.clone();
    let stub = Stub::start(move |_, _| Answer::With(307, "Location", to.clone(), String::new())).await;
    let error = stub.client().ips(&project(), &Tags::new()).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { status: 307, .. }), "{error}");
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn words_of_the_server_reach_the_typed_error() {
    let refusals = [
        (422, "no machine available", "exhausted"),
        (404, "NotFound no project", "not_found"),
        (403, "Wrong HMAC found", "denied"),
    ];
    for (status, message, code) in refusals {
        let stub = Stub::start(move |_, _| Answer::Plain(status, error_body(status, message))).await;
        let error = stub.client().project(&project()).await.unwrap_err();
        assert_eq!((error.code(), error.text()), (code, message));
        assert!(error.to_string().contains(PROJECT), "{error}");
        assert_eq!(stub.seen().len(), 1, "{code} is an answer");
    }
    let stub = Stub::start(|_, _| Answer::Plain(500, error_body(500, "Internal x, no ips left"))).await;
    let error = stub.client().allocate_ip(&ip_request(None)).await.unwrap_err();
    assert!(matches!(error, Error::Exhausted { what: Scarce::Addresses, .. }), "{error}");
}

#[tokio::test]
async fn i7_the_key_is_in_no_error_and_no_debug_even_when_a_proxy_echoes_it() {
    let stub = Stub::start(|seen, _| {
        let echo = format!("bad key {CANARY}, headers {:?}", seen.headers);
        Answer::Plain(403, serde_json::to_string(&echo).unwrap())
    })
    .await;
    let metal = stub.client();
    let error = metal.ips(&project(), &Tags::new()).await.unwrap_err();
    let proof = stub.seen()[0].header("authorization").split_once(' ').unwrap().1.to_owned();
    for shown in [error.to_string(), format!("{error:?}"), format!("{metal:?}")] {
        assert!(!shown.contains(CANARY) && !shown.contains(&proof), "{shown}");
    }
    assert!(matches!(error, Error::Denied { .. }));
}

#[tokio::test]
async fn a_rotated_key_is_taken_up_and_a_missing_one_is_a_denial() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    let path = std::env::temp_dir().join(format!("ferrofleet-key-{}-{}", std::process::id(), fastrand::u64(..)));
    let credentials = Credentials::Hmac { auth_type: AuthType::View, key: Secret::file(&path) };
    let clock = Arc::new(crate::stub::Driven::default());
    let metal = HttpMetal::new(Options::new(&stub.url, credentials), clock).unwrap();
    let error = metal.sizes().await.unwrap_err();
    assert!(matches!(&error, Error::Denied { text, .. } if text.contains("ferrofleet-key-")), "{error}");
    assert!(stub.seen().is_empty());
    for (n, key) in ["first", "second"].into_iter().enumerate() {
        std::fs::write(&path, format!("{key}\n")).unwrap();
        metal.sizes().await.unwrap();
        let seen = &stub.seen()[n];
        let mac = signature(key.as_bytes(), seen.header("x-date"), "GET", seen.header("x-data-salt"));
        assert_eq!(seen.header("authorization"), format!("Metal-View {mac}"));
    }
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn an_unwell_server_says_so_with_500() {
    let body = json!({"status": "unhealthy", "message": "rethinkdb", "services": null}).to_string();
    let stub = Stub::start(move |_, _| Answer::Plain(500, body.clone())).await;
    let health = stub.client().health().await.unwrap();
    assert_eq!(health, Health { healthy: false, message: "rethinkdb".into() });
}

#[tokio::test]
async fn the_servers_clock_is_remembered() {
    let date = "Tue, 02 Jan 2024 03:05:00 GMT";
    let stub = Stub::start(move |_, _| Answer::With(200, "Date", date.into(), "[]".into())).await;
    let metal = stub.client();
    assert_eq!(metal.server_time(), None);
    metal.sizes().await.unwrap();
    assert_eq!(metal.server_time().unwrap().to_string(), "2024-01-02T03:05:00Z");
}

#[test]
fn urls_that_cannot_serve_are_refused_without_showing_secrets() {
    let build = |url: &str| {
        let credentials = Credentials::Bearer { token: Secret::value("t") };
        HttpMetal::new(Options::new(url, credentials), Arc::new(crate::stub::Driven::default()))
    };
    for bad in ["", "metal.example.com", "ftp://h/", "https://u:canary@h/", "https://canary@h/", "http://h/?canary"] {
        let error = build(bad).err().unwrap_or_else(|| panic!("{bad} was taken")).to_string();
        assert!(!error.contains("canary") && !error.is_empty(), "{error}");
    }
    assert_eq!(build("https://metal.example.com/metal/").unwrap().url().path(), "/metal/");
}

#[tokio::test]
async fn a_base_path_may_end_in_a_slash_or_be_missing() {
    let stub = Stub::start(|_, _| Answer::Plain(200, "[]".into())).await;
    let root = stub.url.trim_end_matches("/metal").to_owned();
    for (url, path) in [
        (root.clone(), "/v1/size"),
        (format!("{root}/"), "/v1/size"),
        (format!("{root}/metal"), "/metal/v1/size"),
        (format!("{root}/metal/"), "/metal/v1/size"),
    ] {
        client(&url, LONG).sizes().await.unwrap();
        assert_eq!(stub.seen().last().unwrap().path, path, "{url}");
    }
}
