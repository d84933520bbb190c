//! A bare remote on this machine and people who push to it with plain `git`, in an environment of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `git` with nothing of the machine's configuration: what a fresh machine would do.
pub fn git(home: &Path) -> Command {
    let mut command = Command::new("git");
    hermetic(&mut command, home);
    command.args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]);
    command
}

/// Clears the environment but for what a program needs to be found and to run.
pub fn hermetic(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    for name in ["PATH", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// Runs a command and fails the test with its output when it fails.
#[track_caller]
pub fn ok(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[track_caller]
fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("{command:?} did not start: {e}"))
}

/// A bare repository.
#[derive(Clone, Debug)]
pub struct Bare {
    pub path: PathBuf,
    home: PathBuf,
}

impl Bare {
    pub fn init(path: &Path, home: &Path) -> Self {
        ok(git(home).arg("init").arg("--bare").arg(path));
        // Background work would outlive the test.
        for setting in ["gc.auto", "receive.autogc"] {
            ok(git(home).arg("-C").arg(path).args(["config", setting, "0"]));
        }
        Self { path: path.to_owned(), home: home.to_owned() }
    }

    /// A plain command inside of the repository.
    #[track_caller]
    pub fn git<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> String {
        ok(git(&self.home).arg("-C").arg(&self.path).args(args))
    }

    pub fn url(&self) -> String {
        self.path.display().to_string()
    }

    pub fn tip(&self) -> String {
        self.git(["rev-parse", "refs/heads/main"])
    }

    /// Commits on the branch, oldest first: hash, author, subject.
    pub fn log(&self) -> Vec<(String, String, String)> {
        let text = self.git(["log", "--reverse", "--format=%H%x09%an%x09%s", "refs/heads/main"]);
        let line = |line: &str| {
            let mut parts = line.splitn(3, '\t').map(str::to_owned);
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        };
        text.lines().map(line).collect()
    }

    /// Commits by Ferrofleet.
    pub fn engine_commits(&self) -> usize {
        self.log().iter().filter(|(_, author, _)| author == "Ferrofleet").count()
    }

    /// Paths at the tip.
    pub fn paths(&self) -> Vec<String> {
        self.git(["ls-tree", "-r", "--name-only", "refs/heads/main"]).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        self.git(["show", &format!("refs/heads/main:{path}")])
    }

    /// Whether anybody holds a claim.
    pub fn claims(&self) -> Vec<String> {
        let refs = self.git(["for-each-ref", "--format=%(refname)", "refs/ferrofleet", "refs/heads/ferrofleet-claim"]);
        refs.lines().map(str::to_owned).collect()
    }

    /// Installs a hook.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path.join("hooks").join(name);
        std::fs::create_dir_all(self.path.join("hooks")).unwrap();
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn remove_hook(&self, name: &str) {
        std::fs::remove_file(self.path.join("hooks").join(name)).unwrap();
    }

    /// A person with a clone.
    pub fn person(&self, name: &str, dir: &Path) -> Person {
        let dir = dir.join(name);
        ok(git(&self.home).arg("clone").arg("--quiet").arg(&self.path).arg(&dir));
        Person { name: name.to_owned(), dir, home: self.home.clone() }
    }
}

/// Somebody with a clone of the remote.
#[derive(Clone, Debug)]
pub struct Person {
    name: String,
    pub dir: PathBuf,
    home: PathBuf,
}

impl Person {
    fn git(&self) -> Command {
        let mut command = git(&self.home);
        let email = format!("{}@example.com", self.name);
        command.arg("-C").arg(&self.dir);
        command.args(["-c", &format!("user.name={}", self.name), "-c", &format!("user.email={email}")]);
        command
    }

    /// A plain command in the clone.
    #[track_caller]
    pub fn run<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> String {
        ok(self.git().args(args))
    }

    pub fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).unwrap();
        }
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.dir.join(path)).unwrap()
    }

    pub fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.dir.join(path)).unwrap();
        self
    }

    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.run(["add", "--all"]);
        self.run(["commit", "--quiet", "--allow-empty", "-m", message]);
        self.run(["rev-parse", "HEAD"])
    }

    /// Commits and pushes as people do: on a lost race, pull with rebase and push again.
    #[track_caller]
    pub fn push(&self, message: &str) -> String {
        self.commit(message);
        for _ in 0..200 {
            let pushed = output(self.git().args(["push", "--quiet", "origin", "HEAD:main"]));
            if pushed.status.success() {
                return self.run(["rev-parse", "HEAD"]);
            }
            self.run(["pull", "--quiet", "--rebase", "origin", "main"]);
        }
        panic!("{} could not push in 200 tries", self.name);
    }

    #[track_caller]
    pub fn pull(&self) -> &Self {
        self.run(["pull", "--quiet", "--rebase", "origin", "main"]);
        self
    }
}
