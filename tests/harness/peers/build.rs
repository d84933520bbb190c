//! Builds a peer with `go build` into the cache of this machine, one process at a time.

use super::recipe::Recipe;
use super::{Installed, Skip};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is there of a recipe; builds it when that is allowed.
pub(super) fn installed(folder: &str, recipe: &Recipe, install: bool) -> Result<Installed, Skip> {
    let skip = |why: String| Skip { name: recipe.name, why };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(folder);
    let cache =
        cache_dir().ok_or_else(|| skip("neither FERROFLEET_PEERS_DIR, XDG_CACHE_HOME nor HOME is set".into()))?;
    let inputs = inputs(recipe, &source).map_err(&skip)?;
    let home = cache.join(format!("{}-{}", recipe.name, inputs.short()));
    if let Some(found) = Installed::in_folder(recipe, &home) {
        return Ok(found);
    }
    if !install {
        return Err(skip(format!("not in {}; FERROFLEET_PEERS=install builds it", cache.display())));
    }
    // Held over the build: test binaries and test threads of this machine wait here for the one that builds.
    let _lock = lock(&cache, recipe).map_err(&skip)?;
    if let Some(found) = Installed::in_folder(recipe, &home) {
        return Ok(found);
    }
    build(recipe, &source, &cache, &home).map_err(&skip)?;
    Installed::in_folder(recipe, &home).ok_or_else(|| skip(format!("{} is not there after its build", home.display())))
}

impl Installed {
    /// A folder gets its name by a rename after the build, so one that is there is whole.
    fn in_folder(recipe: &Recipe, home: &Path) -> Option<Self> {
        let binary = home.join(recipe.name);
        binary.is_file().then(|| Self { binary, share: home.join("share") })
    }
}

fn cache_dir() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("FERROFLEET_PEERS_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|dir| dir.join("ferrofleet-peers")))
        .or_else(|| variable("HOME").map(|dir| dir.join(".cache/ferrofleet-peers")))
}

/// Everything that decides what comes out of the build, save the Go version: sources and flags.
fn inputs(recipe: &Recipe, source: &Path) -> Result<model::Digest, String> {
    let unreadable = |e: std::io::Error| format!("{}: {e}", source.display());
    let entries = fs::read_dir(source).map_err(unreadable)?;
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    let mut bytes = format!("{recipe:?}").into_bytes();
    for path in paths {
        bytes.extend_from_slice(path.file_name().unwrap_or_default().as_encoded_bytes());
        bytes.extend(fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?);
    }
    Ok(model::Digest::of_bytes(&bytes))
}

fn lock(cache: &Path, recipe: &Recipe) -> Result<File, String> {
    let path = cache.join(format!("{}.lock", recipe.name));
    let locked = || {
        fs::create_dir_all(cache)?;
        let file = File::create(&path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    };
    locked().map_err(|e| format!("lock {}: {e}", path.display()))
}

fn build(recipe: &Recipe, source: &Path, cache: &Path, home: &Path) -> Result<(), String> {
    let work = tempfile::Builder::new().prefix(".build-").tempdir_in(cache).map_err(|e| e.to_string())?;
    let mut go = go(recipe, source);
    go.args(["build", "-p", "2", "-trimpath", "-tags", recipe.tags, "-ldflags", recipe.ldflags, "-o"]);
    output(go.arg(work.path().join(recipe.name)).arg(recipe.package))?;
    if let Some((module, folders)) = recipe.share {
        let printed = output(self::go(recipe, source).args(["list", "-m", "-f", "{{.Dir}}", module]))?;
        let module = PathBuf::from(printed.trim());
        for folder in folders {
            let copied = copy_tree(&module.join(folder), &work.path().join("share").join(folder));
            copied.map_err(|e| format!("copy {folder} of {}: {e}", module.display()))?;
        }
    }
    fs::rename(work.path(), home).map_err(|e| format!("rename to {}: {e}", home.display()))?;
    // It has another name now; there is nothing left to remove.
    let _ = work.keep();
    Ok(())
}

/// `-mod=readonly`: the committed go.mod and go.sum are complete, and no build changes the tree.
fn go(recipe: &Recipe, source: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(source).env("GOFLAGS", "-mod=readonly").env("GOWORK", "off");
    command.env("CGO_ENABLED", if recipe.cgo { "1" } else { "0" });
    command
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => "`go` is not on PATH; peers need Go 1.26.2 or newer".to_owned(),
        _ => format!("go: {e}"),
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Copies a folder of the module cache, whose files are read-only, to one that can be deleted.
fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
