//! The few calls of Gitea's API that tests make.

use super::Server;
use serde_json::Value;

impl Server {
    /// The answer, or `None` for 404.
    pub(super) fn get(&self, path: &str) -> Option<Value> {
        let mut answer =
            self.agent.get(self.api(path)).header("Authorization", self.bearer()).call().expect("Gitea answers");
        if answer.status() == 404 {
            return None;
        }
        let text = answer.body_mut().read_to_string().expect("Gitea answers with text");
        assert!(answer.status().is_success(), "GET {path}: {} {text}", answer.status());
        Some(serde_json::from_str(&text).expect("Gitea answers with JSON"))
    }

    #[track_caller]
    pub(super) fn post(&self, path: &str, body: &Value) {
        let request = self.agent.post(self.api(path)).header("Authorization", self.bearer());
        let sent = request.header("Content-Type", "application/json").send(body.to_string());
        let mut answer = sent.expect("Gitea answers");
        let text = answer.body_mut().read_to_string().expect("Gitea answers with text");
        assert!(answer.status().is_success(), "POST {path} {body}: {} {text}", answer.status());
    }

    fn api(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/api/v1/{path}", self.http_port)
    }

    fn bearer(&self) -> String {
        format!("token {}", self.token)
    }
}
