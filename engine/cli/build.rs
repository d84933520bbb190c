//! Embeds the definitions of `fleet-example/`, without locks and output: what `ferrofleet demo` starts with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = manifest.join("../../fleet-example");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &root, &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for (name, path) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(code, "    ({name:?}, include_str!({:?})),", path.canonicalize()?)?;
    }
    code.push_str("]\n");
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("fleet_example.rs"), code)?;
    Ok(())
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<(), Box<dyn std::error::Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.strip_prefix(root)?.to_str().ok_or("a path that is no UTF-8")?.replace('\\', "/");
        if path.is_dir() {
            if !matches!(name.as_str(), "rendered" | "gitops" | ".git") {
                walk(root, &path, files)?;
            }
        } else if name.ends_with(".yaml") && !name.ends_with("cluster.lock.yaml") {
            files.push((name, path));
        }
    }
    Ok(())
}
