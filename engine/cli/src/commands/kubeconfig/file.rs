//! A file for one person: never over another by itself, never half.

use crate::exit::Usage;
use anyhow::Context as _;
use std::io::Write as _;
use std::path::Path;

/// Before anything is asked of a server.
pub(super) fn must_not_be_there(path: &Path) -> Result<(), Usage> {
    // A link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() { Err(there(path)) } else { Ok(()) }
}

fn there(path: &Path) -> Usage {
    Usage::new(
        format!("{} is there already", path.display()),
        "--force replaces it, --out FILE names another, and --out - is stdout",
    )
}

/// Beside, with mode 0600, then by its name: who reads it finds all of it or what was there before.
pub(super) fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Such a file has mode 0600 from the beginning.
    let mut beside = tempfile::Builder::new().prefix(".kubeconfig-").tempfile_in(folder).with_context(cannot)?;
    beside.write_all(text.as_bytes()).with_context(cannot)?;
    beside.as_file().sync_all().with_context(cannot)?;
    let kept = if force { beside.persist(path) } else { beside.persist_noclobber(path) };
    match kept {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == std::io::ErrorKind::AlreadyExists && !force => Err(there(path).into()),
        Err(refused) => Err(refused.error).with_context(cannot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_is_for_one_person_and_replaced_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.kubeconfig");
        must_not_be_there(&path).unwrap();
        write(&path, "one", false).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = write(&path, "two", false).unwrap_err();
        assert!(refused.downcast_ref::<Usage>().unwrap().hint().contains("--force"), "{refused}");
        assert!(must_not_be_there(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");

        // Whatever mode it had.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "two", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert!(must_not_be_there(&folder.path().join("link")).is_err());
        // A folder cannot be replaced; nothing is left beside it.
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        assert!(write(&folder.path().join("taken"), "x", true).is_err());
        assert!(write(&folder.path().join("no/such"), "x", true).is_err());
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, ["link", "shop.kubeconfig", "taken"]);
    }
}
