//! The engine on a real forge: the real binary, Gitea, and the simulated metal-api.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ferrofleet_tests::binary::{Finished, Process, command};
use ferrofleet_tests::peers::gitea::{PASSWORD, Server, USER};
use ferrofleet_tests::peers::need;
use ferrofleet_tests::repo::{git, ok};
use metal_sim::{Clock, Landscape, Running, Sim};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::runtime::Runtime;

const LIMIT: Duration = Duration::from_secs(90);

/// A push over SSH takes half a second here, so that a claim of one second would be half over before it is confirmed.
const CLAIM_TIME: &str = "15s";

const DEFINITION: &str = "apiVersion: fleet.metal-stack.io/v1alpha1\nkind: ClusterDefinition\nmetadata: {name: a}\nspec:\n  \
                          kubernetes: {version: 1.34.2}\n  pools: [{name: general, replicas: 1}]\n";

/// The metal-api's key. Like the passwords it must show up nowhere.
const METAL_KEY: &str = "canary-of-metal-api";
const WRONG_PASSWORD: &str = "canary-of-git";

const LOCK: &str = "stages/development/clusters/a/cluster.lock.yaml";

/// How the engine gets at the repository.
#[derive(Clone, Copy, Debug)]
enum Way {
    Password,
    WrongPassword,
    Ssh,
}

/// A fleet with one definition on a forge of its own.
struct Forge {
    server: Server,
    sim: Running,
    key: PathBuf,
    _runtime: Runtime,
}

impl Forge {
    fn start() -> Option<Self> {
        let server = need(Server::start())?;
        let runtime = Runtime::new().unwrap();
        let mut landscape = Landscape::default();
        landscape.auth.admin = METAL_KEY.to_owned();
        let sim = Sim::new(&landscape, Clock::real(1.0), 1).unwrap();
        let sim = runtime.block_on(sim.serve()).unwrap();
        server.create_repo("fleet");
        std::fs::write(server.scratch().join("password"), PASSWORD).unwrap();
        std::fs::write(server.scratch().join("wrong"), WRONG_PASSWORD).unwrap();
        let forge = Self { key: server.ssh_key("engine"), server, sim, _runtime: runtime };
        forge.push_fleet();
        Some(forge)
    }

    /// A person's first commit, pushed with plain `git`.
    fn push_fleet(&self) {
        let tree = self.server.scratch().join("tree");
        ok(git(&self.home()).args(["init", "--quiet"]).arg(&tree));
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleet");
        for path in ["fleet.yaml", "policies/default.yaml"] {
            write(&tree.join(path), &std::fs::read_to_string(fixtures.join(path)).unwrap());
        }
        write(&tree.join("stages/development/clusters/a/cluster.yaml"), DEFINITION);
        ok(self.person().args(["add", "--all"]));
        ok(self.person().args(["commit", "--quiet", "-m", "A fleet"]));
        let url = self.server.http_url_with_credentials("fleet");
        ok(self.person().args(["push", "--quiet", &url, "HEAD:refs/heads/main"]));
    }

    fn person(&self) -> Command {
        let mut command = git(&self.home());
        command.args(["-c", "user.name=ada", "-c", "user.email=ada@example.com"]);
        command.current_dir(self.server.scratch().join("tree"));
        command
    }

    fn home(&self) -> PathBuf {
        self.server.scratch().join("home")
    }

    /// `run --once` with an empty cache and everything logged. No credential is in what it says or keeps (I7).
    fn run_once(&self, way: Way) -> Finished {
        let scratch = self.server.scratch();
        let cache = tempfile::tempdir_in(scratch).unwrap();
        let url = match way {
            Way::Password | Way::WrongPassword => self.server.http_url("fleet"),
            Way::Ssh => self.server.ssh_url("fleet"),
        };
        let mut run = command(&self.home());
        run.envs(self.sim.env()).args(["run", "--once", "--log", "trace", "--claim-time", CLAIM_TIME, "--repo", &url]);
        run.arg("--cache-dir").arg(cache.path());
        match way {
            Way::Password => run.args(["--git-username", USER, "--git-password-file"]).arg(scratch.join("password")),
            Way::WrongPassword => run.args(["--git-username", USER, "--git-password-file"]).arg(scratch.join("wrong")),
            Way::Ssh => run.arg("--git-ssh-key").arg(&self.key).arg("--git-known-hosts").arg(self.server.known_hosts()),
        };
        let finished = Process::spawn(&mut run).finish(LIMIT);
        assert_no_secret("what it said", format!("{}{}", finished.stdout, finished.stderr).as_bytes());
        assert!(!finished.stderr.contains("Metal-Admin "), "a signature of metal-api was logged");
        assert_no_secret_below(cache.path());
        finished
    }

    /// Fetches as a person and gives subject and author of the branch's commits, newest first.
    fn log(&self) -> Vec<String> {
        let url = self.server.http_url_with_credentials("fleet");
        ok(self.person().args(["fetch", "--quiet", &url, "refs/heads/main"]));
        ok(self.person().args(["log", "--format=%an: %s", "FETCH_HEAD"])).lines().map(str::to_owned).collect()
    }

    fn allocations(&self) -> usize {
        self.sim.calls().iter().filter(|call| call.path.contains("/allocate")).count()
    }

    /// One commit by the engine on the person's, with the lock in it, and no claim left.
    #[track_caller]
    fn assert_resolved(&self) {
        assert_eq!(self.log(), ["Ferrofleet: Resolve default.a", "ada: A fleet"]);
        let lock = ok(self.person().args(["show", &format!("FETCH_HEAD:{LOCK}")]));
        assert!(lock.contains("nodeNetwork:") && lock.contains("vip:") && lock.contains("firewall:"), "{lock}");
        let url = self.server.http_url_with_credentials("fleet");
        let refs = ok(self.person().args(["ls-remote", &url]));
        assert!(!refs.contains("claim"), "{refs}");
        assert_no_secret("the branch", ok(self.person().args(["log", "-p", "FETCH_HEAD"])).as_bytes());
    }
}

/// None of the credentials, neither as they are nor as HTTP sends them.
#[track_caller]
fn assert_no_secret(place: &str, bytes: &[u8]) {
    for secret in [PASSWORD, WRONG_PASSWORD, METAL_KEY] {
        let basic = BASE64_STANDARD.encode(format!("{USER}:{secret}"));
        for form in [secret, &basic] {
            let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "I7: {form} is in {place}:\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

#[track_caller]
fn assert_no_secret_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_secret_below(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            assert_no_secret(&path.display().to_string(), &bytes);
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_definition_on_gitea_is_resolved_over_http_and_found_settled_over_ssh() {
    let Some(forge) = Forge::start() else { return };
    let _ = forge.run_once(Way::Password).expect(0);
    forge.assert_resolved();
    let allocated = forge.allocations();
    let _ = forge.run_once(Way::Ssh).expect(0);
    forge.assert_resolved();
    assert_eq!(forge.allocations(), allocated, "I4: nothing was left to allocate");
}

#[test]
fn a_definition_on_gitea_is_resolved_over_ssh() {
    let Some(forge) = Forge::start() else { return };
    let _ = forge.run_once(Way::Ssh).expect(0);
    forge.assert_resolved();
}

#[test]
fn giteas_refusal_of_a_protected_branch_is_shown_and_costs_no_second_allocation() {
    let Some(forge) = Forge::start() else { return };
    forge.server.protect_branch("fleet", "main");
    let first = forge.run_once(Way::Password).expect(1);
    assert!(first.stderr.contains("protected branch"), "{}", first.stderr);
    let allocated = forge.allocations();
    let second = forge.run_once(Way::Password).expect(1);
    assert!(second.stderr.contains("protected branch"), "{}", second.stderr);
    assert_eq!(forge.allocations(), allocated, "I1: the second process finds what the first allocated");
    assert_eq!(forge.log(), ["ada: A fleet"]);
}

#[test]
fn i7_a_login_that_gitea_refuses_is_named_and_its_password_never_shown() {
    let Some(forge) = Forge::start() else { return };
    let refused = forge.run_once(Way::WrongPassword).expect(1);
    assert!(refused.stderr.contains("refused the login"), "{}", refused.stderr);
    assert_eq!(forge.allocations(), 0);
}
