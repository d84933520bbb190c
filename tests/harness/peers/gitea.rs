//! A running Gitea on loopback: SQLite, HTTP and its built-in SSH server, one administrator who owns the repositories.

mod api;
mod setup;

use super::{Peer, Skip, installed};
use std::path::{Path, PathBuf};
use std::process::Child;
use tempfile::TempDir;

/// The administrator, who owns every repository.
pub const USER: &str = "fleet";
/// Of [`USER`]. It opens nothing but a server on loopback that ends with its test.
pub const PASSWORD: &str = "loopback-only-9";

/// A Gitea of its own. It ends with this value; its log is shown when the test fails.
#[derive(Debug)]
pub struct Server {
    child: Child,
    http_port: u16,
    ssh_port: u16,
    token: String,
    agent: ureq::Agent,
    dir: TempDir,
}

impl Server {
    /// Starts it and waits until it answers: two to three seconds.
    pub fn start() -> Result<Self, Skip> {
        let gitea = installed(Peer::Gitea)?;
        Ok(setup::start(&gitea))
    }

    /// Makes an empty repository of [`USER`]; the first push makes its branch `main`.
    pub fn create_repo(&self, name: &str) {
        self.post("user/repos", &serde_json::json!({"name": name, "default_branch": "main"}));
    }

    /// Registers a new SSH key of [`USER`] and gives the private key's path.
    pub fn ssh_key(&self, name: &str) -> PathBuf {
        let private = self.dir.path().join(name);
        let public = setup::ssh_keygen(&private);
        self.post("user/keys", &serde_json::json!({"title": name, "key": public.trim()}));
        private
    }

    /// Refuses every push to the branch from now on, the administrator's too.
    pub fn protect_branch(&self, repo: &str, branch: &str) {
        let rule = serde_json::json!({"rule_name": branch, "enable_push": false});
        self.post(&format!("repos/{USER}/{repo}/branch_protections"), &rule);
    }

    /// The commit that the branch is at, as the API knows it; `None` while it knows no such branch.
    pub fn branch(&self, repo: &str, branch: &str) -> Option<String> {
        let answer = self.get(&format!("repos/{USER}/{repo}/branches/{branch}"))?;
        answer["commit"]["id"].as_str().map(str::to_owned)
    }

    /// The repository over HTTP, without credentials.
    pub fn http_url(&self, repo: &str) -> String {
        format!("http://127.0.0.1:{}/{USER}/{repo}.git", self.http_port)
    }

    /// The repository over HTTP, with name and password of [`USER`] in the URL, as people paste it.
    pub fn http_url_with_credentials(&self, repo: &str) -> String {
        format!("http://{USER}:{PASSWORD}@127.0.0.1:{}/{USER}/{repo}.git", self.http_port)
    }

    /// An access token of [`USER`] for everything; over HTTP it takes the place of the password.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn ssh_url(&self, repo: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{USER}/{repo}.git", self.ssh_port)
    }

    /// A known_hosts file that names this server's key and no other.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.path().join("known_hosts")
    }

    /// For the files of one test: a folder that ends with the server.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", setup::logs(self.dir.path()));
        }
    }
}
