//! What servers say when they refuse a push, sorted by what to do about it: look again, ask a person, or mend a login.
//!
//! Servers have no codes for this, only words. The tables hold lower-case parts of sentences; the corpus of whole
//! sentences, with the server each is from, is in the tests. Policy is looked for before a lost race, because a hook
//! may say anything and a refusal by policy must never be retried hot.

/// Why a server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A rule of the server: protected branch, hook, required signature. Only a person can help.
    Policy,
    /// The login is missing, wrong, or may not write.
    Auth,
    /// The server is busy or limits the rate; later may work.
    Busy,
    /// Anything else, a full disk for example.
    Other,
}

/// What a server's words mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Somebody else's push came first.
    LostRace,
    Refused(RefusalKind),
}

const AUTH: &[&str] = &[
    "authentication failed",
    "authentication required",
    "authorization failed",
    "could not read username",
    "could not read password",
    "invalid credentials",
    "invalid username or password",
    "invalid username or token",
    "incorrect username or password",
    "http basic: access denied",
    "permission denied",
    "permission to ",
    "not have permission",
    "not authorized",
    "not allowed to push code to this project",
    "not allowed to upload code",
    "requires authentication",
    "unauthorized",
    "write access to repository not granted",
    "deploy key does not have write access",
    "deploy token does not have write access",
    "key you are authenticating with has been marked as read only",
    "repository is read-only for you",
    "you need the git 'genericcontribute' permission",
    "you need the git 'forcepush' permission",
    "tf401019",
    "tf401027",
    "tf400813",
    "password authentication was removed",
    "access denied",
    "token expired",
    "token has expired",
    "resource not accessible by",
];

const POLICY: &[&str] = &[
    "hook declined",
    "hook rejected",
    "protected branch",
    "protected ref",
    "branch is protected",
    "is protected from",
    "gh006",
    "gh009",
    "gh013",
    "gh001",
    "gh003",
    "repository rule violations",
    "push declined due to",
    "refusing to allow",
    "not allowed to force push",
    "not allowed to push to protected",
    "not allowed to push into this branch",
    "not allowed to create",
    "not allowed to delete",
    "not allowed to push commits",
    "you are not allowed to push",
    "you can only",
    "required status check",
    "required signature",
    "must be signed",
    "must have verified signatures",
    "changes must be made through a pull request",
    "pushes to this branch are not permitted",
    "only be updated by pull request",
    "tf402455",
    "tf403604",
    "vs403",
    "vs402",
    "permissions restrict",
    "branch permission",
    "commit message does not follow",
    "does not match committer",
    "email address is not",
    "deletion prohibited",
    "deletion of the current branch prohibited",
    "branch is currently checked out",
    "deny updating a hidden ref",
    "deny deleting a hidden ref",
    "denying non-fast-forward",
    "denying ref deletion",
    "refusing to update checked out branch",
    "funny refname",
    "prohibited by gerrit",
    "prohibited",
    "repository is archived",
    "archived so it is read-only",
    "read-only repository",
    "repository is read only",
    "exceeds the limit",
    "exceeds github's file size limit",
    "quota",
];

const RACE: &[&str] = &[
    "non-fast-forward",
    "non-fast forward",
    "fetch first",
    "cannot lock ref",
    "unable to lock",
    "failed to lock",
    "incorrect old value",
    "reference already exists",
    "failed to update ref",
    "failed to update reference",
    "failed to write ref",
    "lock failure",
    "lock_failure",
    "stale info",
    "but expected",
    "unable to create lock",
    ".lock': file exists",
    "atomic push failure",
    "tf401035",
    "tf401028",
    "remote ref updated since",
    "the reference has already been updated",
    "already been updated by another client",
    "old object id does not match",
    "expected old",
    "head sha mismatch",
    "transaction conflict",
];

const BUSY: &[&str] = &[
    "too many requests",
    "rate limit",
    "try again later",
    "temporarily unavailable",
    "service unavailable",
    "repository is being migrated",
    "gitaly: unavailable",
    "internal server error",
    "overloaded",
];

/// Sorts a refusal. `Other` when no table knows the words.
pub fn classify(words: &str) -> Meaning {
    let words = words.to_ascii_lowercase();
    let says = |table: &[&str]| table.iter().any(|part| words.contains(part));
    // A hook's word first: it may quote anything, and retrying it would be wrong whatever it quotes.
    if words.contains("hook declined") {
        return Meaning::Refused(RefusalKind::Policy);
    }
    if says(AUTH) {
        return Meaning::Refused(RefusalKind::Auth);
    }
    if says(POLICY) {
        return Meaning::Refused(RefusalKind::Policy);
    }
    if says(RACE) {
        return Meaning::LostRace;
    }
    if says(BUSY) {
        return Meaning::Refused(RefusalKind::Busy);
    }
    Meaning::Refused(RefusalKind::Other)
}

#[cfg(test)]
mod tests;
