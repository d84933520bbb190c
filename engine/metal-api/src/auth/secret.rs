//! Where a secret comes from. It has no `Display`, and its `Debug` shows the place, never the content.

use secrecy::SecretString;
use std::{fmt, path::PathBuf};

/// More than this is no key and no token.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A secret given as a value (from the environment), or the file that holds it, which is read anew each time.
#[derive(Clone)]
pub enum Secret {
    Value(SecretString),
    File(PathBuf),
}

/// Why there is no secret to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the credential file {path} cannot be read: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the credential file {path} has more than {SECRET_BYTES_MAX} bytes", path = path.display())]
    TooLong { path: PathBuf },
    #[error("the credential file {path} is not UTF-8", path = path.display())]
    NotText { path: PathBuf },
    #[error("the credential{at} is empty", at = path.as_ref().map_or(String::new(), |p| format!(" file {}", p.display())))]
    Empty { path: Option<PathBuf> },
}

impl Secret {
    pub fn value(value: impl Into<String>) -> Self {
        Self::Value(value.into().into())
    }

    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// The secret as it is now, without the line end that editors add.
    pub async fn read(&self) -> Result<SecretString, SecretError> {
        use secrecy::ExposeSecret as _;
        match self {
            Self::Value(value) if value.expose_secret().is_empty() => Err(SecretError::Empty { path: None }),
            Self::Value(value) => Ok(value.clone()),
            Self::File(path) => read_file(path.clone()).await,
        }
    }
}

async fn read_file(path: PathBuf) -> Result<SecretString, SecretError> {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Vec::new();
    let read = async {
        let file = tokio::fs::File::open(&path).await?;
        file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).await
    };
    match read.await {
        Err(source) => return Err(SecretError::Read { path, source }),
        Ok(length) if length as u64 > SECRET_BYTES_MAX => return Err(SecretError::TooLong { path }),
        Ok(_) => {}
    }
    let Ok(text) = String::from_utf8(bytes) else { return Err(SecretError::NotText { path }) };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(SecretError::Empty { path: Some(path) }),
        secret => Ok(secret.to_owned().into()),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Secret([redacted])"),
            Self::File(path) => f.debug_tuple("Secret").field(path).finish(),
        }
    }
}
