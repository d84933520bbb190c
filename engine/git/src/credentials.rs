//! Who we are to a server. Secrets are read anew at every try, so a rotated file is used without a restart.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::{Path, PathBuf};

/// A token is a line; a file that is longer is not one.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What a remote may be told, and what it is checked against.
#[derive(Clone, Default)]
pub struct Credentials {
    /// For HTTP. Without one (or with an empty one) the password is sent as a bearer token.
    pub username: Option<Source>,
    /// For HTTP: a password or token.
    pub password: Option<Source>,
    /// For SSH: a private key; without one `ssh` uses the user's agent and default keys.
    pub ssh_key: Option<PathBuf>,
    /// For SSH: the file with the server's key; without one `~/.ssh/known_hosts`.
    pub known_hosts: Option<PathBuf>,
    /// For HTTPS: certificates in PEM that are trusted in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where a user name or a secret comes from.
#[derive(Clone)]
pub enum Source {
    Value(SecretString),
    /// Its first line.
    File(PathBuf),
    /// The environment variable of this name.
    Env(String),
}

/// A credential that was asked for cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    #[error("{path}: {why}", path = .path.display())]
    File { path: PathBuf, why: String },
    #[error("the environment variable {name} {why}")]
    Env { name: String, why: &'static str },
    #[error("credentials are not sent over plain http://; use https:// (or a loopback address)")]
    PlainHttp,
    #[error("there is no home folder to look for .ssh/known_hosts in; name the file with --git-known-hosts")]
    NoHome,
}

impl Source {
    /// A value at hand, a user name for example.
    pub fn value(text: &str) -> Self {
        Self::Value(text.into())
    }

    /// The value as it is now.
    pub(crate) fn read(&self) -> Result<SecretString, CredentialsError> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => read_line(path),
            Self::Env(name) => match std::env::var(name) {
                Ok(value) => Ok(value.trim_end_matches(['\r', '\n']).into()),
                Err(std::env::VarError::NotPresent) => {
                    Err(CredentialsError::Env { name: name.clone(), why: "is not set" })
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    Err(CredentialsError::Env { name: name.clone(), why: "is not UTF-8" })
                }
            },
        }
    }
}

fn read_line(path: &Path) -> Result<SecretString, CredentialsError> {
    let fail = |why: String| CredentialsError::File { path: path.to_owned(), why };
    let bytes = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?.len();
    if bytes > SECRET_BYTES_MAX {
        return Err(fail(format!("{bytes} bytes are no password")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(fail("its first line is empty".to_owned()));
    }
    Ok(line.into())
}

/// The secrets of one try.
pub(crate) struct Secrets {
    pub(crate) username: Option<SecretString>,
    pub(crate) password: Option<SecretString>,
}

impl Credentials {
    pub(crate) fn secrets(&self) -> Result<Secrets, CredentialsError> {
        let read = |source: &Option<Source>| source.as_ref().map(Source::read).transpose();
        Ok(Secrets { username: read(&self.username)?, password: read(&self.password)? })
    }
}

impl Secrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.username.is_none() && self.password.is_none()
    }

    /// Takes what may not be shown out of a server's words (I7): servers quote what they were sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        let mut text = redact_userinfo(text);
        for secret in [&self.password, &self.username].into_iter().flatten() {
            let secret = secret.expose_secret();
            // Shorter ones are everyday words (`git`), and no secrets.
            if secret.len() >= 6 {
                text = text.replace(secret, "***");
            }
        }
        text
    }
}

/// Takes `user:password@` out of addresses in a text.
pub(crate) fn redact_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let authority = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        match after[..authority].rfind('@') {
            Some(end) => {
                out.push_str("***");
                rest = &after[end..];
            }
            None => rest = after,
        }
    }
    out.push_str(rest);
    out
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password, ssh_key, known_hosts, ca_file } = self;
        f.debug_struct("Credentials")
            .field("username", username)
            .field("password", password)
            .field("ssh_key", ssh_key)
            .field("known_hosts", known_hosts)
            .field("ca_file", ca_file)
            .finish()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("***"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-7f3a";

    #[test]
    fn a_rotated_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let source = Source::File(path.clone());
        assert!(matches!(source.read(), Err(CredentialsError::File { .. })));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(source.read().unwrap().expose_secret(), "one");
        std::fs::write(&path, "two\r\nnot this\n").unwrap();
        assert_eq!(source.read().unwrap().expose_secret(), "two");
        std::fs::write(&path, "\n").unwrap();
        assert!(source.read().unwrap_err().to_string().contains("empty"));
        std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
        assert!(source.read().unwrap_err().to_string().contains("100000 bytes"));
    }

    #[test]
    fn nothing_prints_a_secret() {
        let credentials = Credentials {
            username: Some(Source::Value("someone".into())),
            password: Some(Source::Value(CANARY.into())),
            ..Credentials::default()
        };
        assert!(!format!("{credentials:?}").contains(CANARY));
        let secrets = credentials.secrets().unwrap();
        let words = secrets.redact(&format!("bad token {CANARY} for https://a:{CANARY}@host/x and https://b/x@y"));
        assert_eq!(words, "bad token *** for https://***@host/x and https://b/x@y");
        assert_eq!(redact_userinfo("https://one@two@three/x ssh://four@five"), "https://***@three/x ssh://***@five");
    }
}
