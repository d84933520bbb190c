//! Fleets of any size: a bare repository made by `git fast-import`, with definitions and the locks of resolved clusters.

use ferrofleet_tests::bed::definition;
use ferrofleet_tests::repo::{Bare, git, ok};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// The fixture's documents and `count` definitions, as one commit.
pub(crate) fn repository(dir: &Path, count: usize) -> Bare {
    let home = dir.join("home");
    std::fs::create_dir_all(&home).expect("a home");
    let bare = Bare::init(&dir.join("fleet.git"), &home);
    let mut stream = String::new();
    let mut marks = Vec::new();
    let mut add = |path: String, text: &str| {
        let mark = marks.len() + 1;
        let _ = write!(stream, "blob\nmark :{mark}\ndata {}\n{text}\n", text.len());
        marks.push((mark, path));
    };
    for path in ["fleet.yaml", "policies/default.yaml"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fleet").join(path);
        add(path.to_owned(), &std::fs::read_to_string(from).expect("a fixture"));
    }
    for n in 0..count {
        let name = format!("c{n:05}");
        add(format!("stages/development/clusters/{name}/cluster.yaml"), &definition(&name));
    }
    stream.push_str("commit refs/heads/main\ncommitter Ada <ada@example.com> 1700000000 +0000\ndata 7\nA fleet\n");
    for (mark, path) in marks {
        let _ = writeln!(stream, "M 100644 :{mark} {path}");
    }
    let mut import = git(&home)
        .arg("-C")
        .arg(&bare.path)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git starts");
    import.stdin.take().expect("piped").write_all(stream.as_bytes()).expect("git reads");
    assert!(import.wait().expect("git ends").success());
    ok(git(&home).arg("-C").arg(&bare.path).args(["repack", "-adq"]));
    bare
}
