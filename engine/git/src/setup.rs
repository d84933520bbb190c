//! libgit2's process-wide settings, made once before its first use.

use git2::ConfigLevel;
use std::sync::Once;

/// Objects are cached by their users (trees by `repo::tree`); libgit2's own cache only has to bridge one call.
const CACHE_BYTES: isize = 4 << 20;
/// Packs are read through windows; the sum of them counts against the process's memory.
const PACK_BYTES_MAPPED: usize = 64 << 20;
/// A cache folder collects a pack per fetch; each open one is a file descriptor.
const PACKS_OPEN: usize = 32;

/// Isolates libgit2 from the machine's and the user's Git configuration, and bounds its memory.
#[expect(unsafe_code, reason = "libgit2's options are process-wide variables; set here once, before any other use")]
pub(crate) fn once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let levels = [ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global, ConfigLevel::ProgramData];
        // SAFETY: `Once` runs this before any caller of this crate touches libgit2, and git2 is used nowhere else in
        // the workspace, so no other thread reads or writes these variables now.
        let set = unsafe {
            levels
                .into_iter()
                .try_for_each(|level| git2::opts::set_search_path(level, ""))
                .and_then(|()| git2::opts::set_cache_max_size(CACHE_BYTES))
                .and_then(|()| git2::opts::set_mwindow_mapped_limit(PACK_BYTES_MAPPED))
                .and_then(|()| git2::opts::set_mwindow_file_limit(PACKS_OPEN))
        };
        if let Err(error) = set {
            tracing::warn!(%error, "libgit2 refused a setting");
        }
        git2::opts::strict_object_creation(true);
        git2::opts::strict_hash_verification(true);
    });
}
