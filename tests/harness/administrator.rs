//! Calls of the simulated metal-api as an administrator: past whatever is under test.

use metal_sim::Running;
use serde_json::Value;

/// The answer; one that is no success fails the test.
#[track_caller]
pub(crate) fn call(sim: &Running, method: &str, path: &str, body: &Value) -> Value {
    let [(_, url), (_, key), _] = sim.env();
    let date = metal_api::auth::render_date(sim.clock().now);
    let salt = "abcdefghijklmnopqrstuvwx";
    let mac = metal_api::auth::signature(key.as_bytes(), &date, method, salt);
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{url}{path}"))
        .header("Authorization", format!("Metal-Admin {mac}"))
        .header(metal_api::auth::DATE_HEADER, date)
        .header(metal_api::auth::SALT_HEADER, salt)
        .header("Content-Type", "application/json")
        .body(body.to_string())
        .expect("a request");
    let agent: ureq::Agent =
        ureq::config::Config::builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
    let mut answer = agent.run(request).expect("the simulator answers");
    let text = answer.body_mut().read_to_string().expect("an answer is text");
    assert!(answer.status().is_success(), "{method} {path}: {text}");
    serde_json::from_str(&text).expect("an answer is JSON")
}
