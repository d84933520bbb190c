//! Branches as archives over HTTP, as source-controller keeps them.

use crate::repo::{git, ok};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A server of archives. Ends when dropped.
#[derive(Debug)]
pub(super) struct Artifacts {
    address: SocketAddr,
    /// A bare repository that everything is fetched into.
    repository: PathBuf,
    shared: Arc<Shared>,
}

/// What a status says of an archive.
#[derive(Clone, Debug)]
pub(super) struct Artifact {
    pub(super) url: String,
    pub(super) path: String,
    pub(super) revision: String,
    pub(super) digest: String,
    pub(super) size: usize,
    pub(super) time: String,
}

#[derive(Debug, Default)]
struct Shared {
    /// By request path.
    archives: Mutex<BTreeMap<String, Vec<u8>>>,
    ended: AtomicBool,
}

impl Artifacts {
    /// Serves on a port of its own choice; `dir` is made for its files.
    pub(super) fn start(dir: &Path) -> Self {
        let repository = dir.to_owned();
        ok(git(dir.parent().unwrap_or(dir)).args(["init", "--quiet", "--bare"]).arg(&repository));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let server = shared.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if server.ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that went away is its own business.
                let _ = connection.and_then(|stream| answer(&server, &stream));
            }
        });
        Self { address, repository, shared }
    }

    /// Fetches a branch and offers what it is at.
    #[track_caller]
    pub(super) fn pack(&self, url: &str, branch: &str) -> Artifact {
        let git = || {
            let mut command = git(&self.repository);
            command.arg("-C").arg(&self.repository);
            command
        };
        ok(git().args(["fetch", "--quiet", "--depth=1", url, &format!("refs/heads/{branch}")]));
        let commit = ok(git().args(["rev-parse", "FETCH_HEAD"]));
        let file = self.repository.join("archive.tar.gz");
        ok(git().args(["archive", "--format=tar.gz", "--output"]).arg(&file).arg(&commit));
        let archive = std::fs::read(&file).expect("an archive");
        let path = format!("gitrepository/{commit}.tar.gz");
        let artifact = Artifact {
            url: format!("http://{}/{path}", self.address),
            revision: format!("{branch}@sha1:{commit}"),
            digest: model::Digest::of_bytes(&archive).to_string(),
            size: archive.len(),
            time: ok(git().args(["log", "-1", "--format=%cI", &commit])),
            path,
        };
        let mut archives = self.shared.archives.lock().unwrap_or_else(PoisonError::into_inner);
        archives.insert(format!("/{}", artifact.path), archive);
        artifact
    }
}

impl Drop for Artifacts {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

/// Answers one request and closes.
fn answer(shared: &Shared, mut stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let found = shared.archives.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |archive| ("200 OK", archive));
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
