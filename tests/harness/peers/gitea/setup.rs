//! Brings up a Gitea in a folder of its own: configuration, database, administrator, process.

use super::{PASSWORD, Server, USER};
use crate::peers::Installed;
use crate::repo::{hermetic, ok};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that a start may take: two seconds alone, more beside a build.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How often other ports are tried when somebody else took the ones that were free.
const PORT_TRIES: usize = 3;

pub(super) fn start(gitea: &Installed) -> Server {
    let dir = tempfile::Builder::new().prefix("gitea-").tempdir().expect("a temporary folder");
    fs::create_dir(dir.path().join("home")).expect("a home");
    let host_key = ssh_keygen(&dir.path().join("host_key"));
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent();
    write_config(dir.path(), gitea, [0, 0]);
    ok(command(dir.path(), gitea).arg("migrate"));
    let user = ["--username", USER, "--password", PASSWORD, "--email", "fleet@example.com"];
    let admin = ["admin", "user", "create", "--admin", "--must-change-password=false"];
    ok(command(dir.path(), gitea).args(admin).args(user));
    let scopes = ["--username", USER, "--token-name", "tests", "--scopes", "all", "--raw"];
    let printed = ok(command(dir.path(), gitea).args(["admin", "user", "generate-access-token"]).args(scopes));
    let token = printed.lines().last().expect("a token").trim().to_owned();
    for _ in 0..PORT_TRIES {
        let [http_port, ssh_port] = free_ports();
        write_config(dir.path(), gitea, [http_port, ssh_port]);
        let Some(child) = serve(dir.path(), gitea, &agent, http_port) else { continue };
        fs::write(dir.path().join("known_hosts"), format!("[127.0.0.1]:{ssh_port} {host_key}")).expect("known_hosts");
        return Server { child, http_port, ssh_port, token, agent, dir };
    }
    panic!("Gitea ended {PORT_TRIES} times at its start\n{}", kept_logs(dir))
}

/// Makes an Ed25519 key without passphrase and gives the public half.
pub(super) fn ssh_keygen(private: &Path) -> String {
    ok(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f"]).arg(private));
    fs::read_to_string(private.with_extension("pub")).expect("a public key")
}

/// The ends of its logs, for a test that fails.
pub(super) fn logs(dir: &Path) -> String {
    const LINES: usize = 25;
    let mut shown = String::new();
    for name in ["web.log", "log/gitea.log"] {
        let text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("\n");
        shown.push_str(&format!("--- Gitea's {name}, last {LINES} lines\n{tail}\n"));
    }
    shown
}

fn kept_logs(dir: TempDir) -> String {
    let kept: PathBuf = dir.keep();
    format!("{}kept in {}", logs(&kept), kept.display())
}

fn command(dir: &Path, gitea: &Installed) -> Command {
    let mut command = Command::new(&gitea.binary);
    hermetic(&mut command, &dir.join("home"));
    command.env("TMPDIR", dir).current_dir(dir).arg("--config").arg(dir.join("app.ini"));
    command
}

/// Starts the server and waits for its health; `None` when it ended instead, as it does when a port was taken.
fn serve(dir: &Path, gitea: &Installed, agent: &ureq::Agent, http_port: u16) -> Option<Child> {
    let log = File::create(dir.join("web.log")).expect("a log");
    let mut command = command(dir, gitea);
    command.arg("web").stdout(log.try_clone().expect("a second handle")).stderr(log);
    let mut child = command.spawn().expect("Gitea starts");
    let health = format!("http://127.0.0.1:{http_port}/api/healthz");
    let end = Instant::now() + START_LIMIT;
    loop {
        if child.try_wait().expect("it is a child").is_some() {
            return None;
        }
        if agent.get(&health).call().is_ok_and(|answer| answer.status().is_success()) {
            return Some(child);
        }
        if Instant::now() > end {
            child.kill().expect("it runs");
            child.wait().expect("it is a child");
            panic!("Gitea is not healthy after {START_LIMIT:?}\n{}", logs(dir));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Two ports that were free a moment ago. Gitea cannot choose its own and say which.
fn free_ports() -> [u16; 2] {
    let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}

fn write_config(dir: &Path, gitea: &Installed, [http_port, ssh_port]: [u16; 2]) {
    let user = ok(Command::new("id").arg("-un"));
    let config = format!(
        r"APP_NAME = tests
RUN_MODE = prod
RUN_USER = {user}
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {dir}
[server]
STATIC_ROOT_PATH = {share}
APP_DATA_PATH = {dir}/data
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {http_port}
ROOT_URL = http://127.0.0.1:{http_port}/
DOMAIN = 127.0.0.1
START_SSH_SERVER = true
SSH_LISTEN_HOST = 127.0.0.1
SSH_PORT = {ssh_port}
SSH_LISTEN_PORT = {ssh_port}
SSH_USER = git
BUILTIN_SSH_SERVER_USER = git
SSH_SERVER_HOST_KEYS = {dir}/host_key
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = tests
PASSWORD_HASH_ALGO = pbkdf2$1$50
PASSWORD_COMPLEXITY = off
[repository]
ROOT = {dir}/repos
DEFAULT_BRANCH = main
[webhook]
ALLOWED_HOST_LIST = loopback
[actions]
ENABLED = false
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[cron.update_checker]
ENABLED = false
[log]
MODE = file
LEVEL = Info
ROOT_PATH = {dir}/log
[service]
DISABLE_REGISTRATION = true
",
        user = user.trim(),
        dir = dir.display(),
        share = gitea.share.display(),
    );
    fs::write(dir.join("app.ini"), config).expect("a configuration");
}
