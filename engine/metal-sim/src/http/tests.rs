//! On a real port: faults end connections as they say, the control interface answers, shutdown ends what hangs.

use super::*;
use crate::{
    Fault, Silence,
    tests::{PROJECT, SMALL, request},
};
use serde_json::{Value, json};
use std::io::ErrorKind;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn running() -> Running {
    let landscape = Landscape::parse(SMALL, "small.yaml").unwrap();
    let clock = Clock::manual(crate::tests::start());
    Sim::new(&landscape, clock, 1).unwrap().serve().await.unwrap()
}

/// Sends a request by hand; the signature is by the simulator's clock, which stands where requests are signed.
async fn open(sim: &Running, method: &str, path: &str, body: &str) -> TcpStream {
    let signed = request("Metal-Admin", method, path, None);
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nX-Date: {}\r\nX-Data-Salt: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        signed.authorization.unwrap(),
        signed.date.unwrap(),
        signed.salt.unwrap(),
        body.len()
    );
    let mut stream = TcpStream::connect(sim.address()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the connection ends, however it ends.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(bytes).unwrap()
}

async fn send(sim: &Running, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = rest(open(sim, method, path, body).await).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn send_json(sim: &Running, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, body) = send(sim, method, path, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

const ALLOCATE: &str = "/metal/v1/ip/allocate";

fn ip() -> String {
    json!({"networkid": "internet", "projectid": PROJECT}).to_string()
}

fn addresses(sim: &Running) -> usize {
    sim.resources().ips.len()
}

#[tokio::test]
async fn dropped_calls_end_the_connection_before_or_after_the_effect() {
    let sim = running().await;
    let before = addresses(&sim);
    let effects = [(Silence::DropBefore, 0, 0), (Silence::DropAfter, 1, 201)];
    for (silence, more, status) in effects {
        sim.set_faults(vec![Fault::new("POST", "*/ip/allocate", silence).times(1)]);
        assert_eq!(rest(open(&sim, "POST", ALLOCATE, &ip()).await).await, "", "{silence:?}: not a byte");
        assert_eq!(addresses(&sim), before + more, "{silence:?}");
        let call = sim.calls().pop().unwrap();
        assert_eq!((call.status, call.effect.is_some()), (status, more == 1), "{silence:?}");
    }
    assert_eq!(send(&sim, "POST", ALLOCATE, &ip()).await.0, 201, "once only");
    sim.shutdown().await.unwrap();
}

#[tokio::test]
async fn hanging_calls_stay_open_until_the_end() {
    let sim = running().await;
    let before = addresses(&sim);
    sim.set_faults(json!([
        {"method": "POST", "path": "*/ip/allocate", "times": 1, "effect": "hang"},
        {"method": "POST", "path": "*/ip/allocate", "times": 1, "effect": "hangAfter"},
    ]));
    let mut hanging = Vec::new();
    for n in 1..=2 {
        hanging.push(open(&sim, "POST", ALLOCATE, &ip()).await);
        while sim.calls().len() < n {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(addresses(&sim), before + 1);
    assert_eq!(send(&sim, "GET", "/v1/version", "").await.0, 200, "others are served");
    sim.shutdown().await.unwrap();
    for stream in hanging {
        assert_eq!(rest(stream).await, "");
    }
}

#[tokio::test]
async fn a_status_is_answered_in_metal_apis_shape_and_nothing_happens() {
    let sim = running().await;
    let before = addresses(&sim);
    sim.set_faults(json!([{"path": "/v1/ip/*", "times": 1, "effect": {"status": 503, "message": "later"}}]));
    let (status, body) = send_json(&sim, "POST", ALLOCATE, &json!({})).await;
    assert_eq!((status, body), (503, json!(r#"{"statuscode":503,"message":"later"}"#)));
    assert_eq!(addresses(&sim), before);
    sim.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_delayed_call_happens_although_the_caller_is_gone() {
    let sim = running().await;
    let before = addresses(&sim);
    sim.set_faults(json!([{"effect": {"delayMs": 30}, "times": 1}]));
    drop(open(&sim, "POST", ALLOCATE, &ip()).await);
    while sim.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(addresses(&sim), before + 1);
    sim.shutdown().await.unwrap();
}

#[tokio::test]
async fn control_is_open_unlogged_and_complete() {
    let sim = running().await;
    let (_, state) = send_json(&sim, "GET", "/_sim/state", &json!(null)).await;
    assert_eq!((state["machines"].as_array().unwrap().len(), state["networks"].as_array().unwrap().len()), (9, 6));
    send(&sim, "GET", "/v1/version", "").await;
    let (_, calls) = send_json(&sim, "GET", "/_sim/calls?after=0", &json!(null)).await;
    let version =
        json!({"n": 1, "method": "GET", "path": "/v1/version", "status": 200, "user": "Metal-Admin", "effect": null});
    assert_eq!(calls, json!([version]));
    assert_eq!(send_json(&sim, "GET", "/_sim/calls?after=1", &json!(null)).await.1, json!([]));
    assert_eq!(send(&sim, "DELETE", "/_sim/calls", "").await.0, 200);
    assert_eq!(sim.calls(), []);

    let fault = json!([{"path": "*", "effect": "hang", "times": 0}]);
    assert_eq!(send_json(&sim, "PUT", "/_sim/faults", &fault).await, (200, fault));
    let (status, body) = send_json(&sim, "PUT", "/_sim/faults", &json!([{"effect": "explode"}])).await;
    assert!(status == 400 && body["error"].is_string(), "{body}");
    let (_, clock) = send_json(&sim, "POST", "/_sim/clock", &json!({"advance": "30s"})).await;
    assert_eq!(clock, json!({"now": "2026-01-01T00:00:30Z", "mode": "manual", "speed": 1.0}));
    let machine = "/_sim/machines/00000000-0000-0000-0000-00000000000a/events";
    assert_eq!(send_json(&sim, "POST", machine, &json!({"event": "Crashed"})).await, (200, json!({})));
    assert_eq!(send_json(&sim, "POST", "/_sim/machines/x/events", &json!({"vanish": true})).await.0, 404);
    assert_eq!(send_json(&sim, "GET", "/_sim/reachability", &json!(null)).await, (200, json!([])));
    assert_eq!(send(&sim, "POST", "/_sim/state", "").await.0, 405);
    assert_eq!(send(&sim, "GET", "/_sim/x", "").await.0, 404);
    sim.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_date_is_the_simulators() {
    let sim = running().await;
    let answer = rest(open(&sim, "GET", "/v1/version", "").await).await.to_lowercase();
    assert!(answer.contains("date: thu, 01 jan 2026 00:00:00 gmt"), "{answer}");
    assert!(answer.contains("content-type: application/json"), "{answer}");
    sim.shutdown().await.unwrap();
}

#[tokio::test]
async fn only_loopback_is_served() {
    let landscape = Landscape::parse(SMALL, "small.yaml").unwrap();
    let sim = Sim::new(&landscape, Clock::real(1.0), 1).unwrap();
    let error = serve(sim, "0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().starts_with("0.0.0.0:0 is not a loopback address"), "{error}");
}

#[tokio::test]
async fn the_banner_is_what_a_shell_takes() {
    let sim = running().await;
    let url = format!("http://127.0.0.1:{}/metal", sim.address().port());
    let lines = [
        format!("listening on {url}"),
        format!("export METAL_API_URL={url}"),
        "export METAL_API_HMAC=metal-admin".into(),
        "export METAL_API_HMAC_AUTH_TYPE=Metal-Admin".into(),
    ];
    assert_eq!(sim.banner(), lines);
    sim.shutdown().await.unwrap();
}
