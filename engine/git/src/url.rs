//! The address of a remote: parsed once, never shown with what may be a secret in it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a remote is. `Display` and `Debug` never show a user or a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RemoteUrl(pub(crate) Place);

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Absolute.
    Path(PathBuf),
    /// Without a slash at its end, without userinfo, query and fragment.
    Http(::url::Url),
    Ssh(Ssh),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ssh {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// As the remote's `git-upload-pack` gets it.
    pub(crate) path: String,
}

/// Why an address is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("the address of a remote is empty")]
    Empty,
    #[error("the address of a remote holds a control character")]
    ControlCharacter,
    #[error("the {part} of a remote's address begins with '-', which programs would take for an option")]
    LeadingDash { part: &'static str },
    #[error(
        "the address of a remote holds a user or a password; \
         leave them out and use --git-username and --git-password-file"
    )]
    Userinfo,
    #[error("remotes of the kind {scheme}:// are not supported; use https://, ssh://, file:// or a path")]
    Scheme { scheme: String },
    #[error("not the address of a remote: {why}")]
    Malformed { why: String },
}

impl RemoteUrl {
    /// A path, `file://`, `http(s)://`, `ssh://`, or `user@host:path`. Relative paths are taken from the working
    /// directory.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(UrlError::ControlCharacter);
        }
        let place = match text.split_once("://") {
            Some((scheme, _)) => with_scheme(&scheme.to_ascii_lowercase(), text)?,
            None => match scp_like(text) {
                Some((host, path)) => ssh_place(host, path.to_owned())?,
                None => path_place(Path::new(text))?,
            },
        };
        Ok(Self(place))
    }

    /// One text per repository, however its address was spelt: lower-case host, no default port, no user, no `.git`,
    /// `host:path` as `ssh://`. Identifies caches and repositories; not for connecting.
    pub fn canonical(&self) -> String {
        match &self.0 {
            Place::Path(path) => {
                let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                format!("file://{}", real.display())
            }
            Place::Http(url) => {
                let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
                format!("{}://{host}{}{}", url.scheme(), port(url.port()), bare(url.path()))
            }
            Place::Ssh(ssh) => {
                let path = ssh.path.trim_start_matches('/');
                format!("ssh://{}{}/{}", ssh.host, port(ssh.port.filter(|p| *p != 22)), bare(path))
            }
        }
    }

    /// The folder, where the remote is one on this machine.
    pub fn local_path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Path(path) => Some(path),
            Place::Http(_) | Place::Ssh(_) => None,
        }
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Path(path) => path.display().fmt(f),
            Place::Http(url) => f.write_str(url.as_str()),
            Place::Ssh(ssh) => write!(f, "ssh://{}{}/{}", ssh.host, port(ssh.port), ssh.path.trim_start_matches('/')),
        }
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn port(port: Option<u16>) -> String {
    port.map(|p| format!(":{p}")).unwrap_or_default()
}

fn bare(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/')
}

fn with_scheme(scheme: &str, text: &str) -> Result<Place, UrlError> {
    if !matches!(scheme, "file" | "http" | "https" | "ssh" | "git+ssh" | "ssh+git") {
        return Err(UrlError::Scheme { scheme: scheme.chars().take(16).collect() });
    }
    // The parser's message may quote the text, and the text may hold a password.
    let url = ::url::Url::parse(text).map_err(|why| UrlError::Malformed { why: why.to_string() })?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Malformed { why: "it has a query or a fragment".to_owned() });
    }
    match scheme {
        "file" => {
            let path = url.to_file_path().map_err(|()| UrlError::Malformed { why: "not a local file".to_owned() })?;
            path_place(&path)
        }
        "http" | "https" => http_place(url),
        _ => {
            if url.password().is_some() {
                return Err(UrlError::Userinfo);
            }
            let path = percent_decoded(url.path())?;
            // As git does: `/~user/x` is relative to a home.
            let path = path.strip_prefix('/').filter(|p| p.starts_with('~')).map(str::to_owned).unwrap_or(path);
            let host = url.host_str().unwrap_or_default();
            let user = Some(percent_decoded(url.username())?).filter(|u| !u.is_empty());
            ssh_checked(Ssh { user, host: host.to_ascii_lowercase(), port: url.port(), path })
        }
    }
}

fn http_place(mut url: ::url::Url) -> Result<Place, UrlError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Userinfo);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::Malformed { why: "it names no host".to_owned() });
    }
    if url.host_str().is_some_and(|h| h.starts_with('-')) {
        return Err(UrlError::LeadingDash { part: "host" });
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(Place::Http(url))
}

/// `host:path`, when the colon comes before the first slash.
fn scp_like(text: &str) -> Option<(&str, &str)> {
    if let Some(end) = text.find("]:").filter(|_| text.contains('[')) {
        return Some((&text[..=end], &text[end + 2..]));
    }
    let (host, path) = text.split_once(':')?;
    (!host.contains('/') && !host.is_empty()).then_some((host, path))
}

fn ssh_place(host: &str, path: String) -> Result<Place, UrlError> {
    let (user, host) = match host.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, host),
    };
    if user.as_deref().is_some_and(|u| u.contains(':')) {
        return Err(UrlError::Userinfo);
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    ssh_checked(Ssh { user, host, port: None, path })
}

fn ssh_checked(ssh: Ssh) -> Result<Place, UrlError> {
    let Ssh { user, host, port: _, path } = &ssh;
    let parts = [("user", user.as_deref().unwrap_or("x")), ("host", host.as_str()), ("path", path.as_str())];
    for (part, text) in parts {
        if text.starts_with('-') {
            return Err(UrlError::LeadingDash { part });
        }
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(UrlError::Malformed { why: format!("its {part} is empty or holds a control character") });
        }
    }
    if user.iter().chain([host]).any(|t| t.contains(|c: char| c.is_whitespace() || "@/'\"`$;&|<>\\%".contains(c))) {
        return Err(UrlError::Malformed { why: "its user or host holds a character that neither may".to_owned() });
    }
    // `[::1]` is how a URL writes it; ssh takes it bare.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Place::Ssh(Ssh { host, ..ssh }))
}

fn path_place(path: &Path) -> Result<Place, UrlError> {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        return Err(UrlError::LeadingDash { part: "path" });
    }
    let absolute = std::path::absolute(path).map_err(|e| UrlError::Malformed { why: e.to_string() })?;
    Ok(Place::Path(absolute))
}

fn percent_decoded(text: &str) -> Result<String, UrlError> {
    let malformed =
        || UrlError::Malformed { why: "a percent sign begins no hex byte, or bytes are no UTF-8".to_owned() };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(malformed)?;
        let mut byte = [0];
        hex::decode_to_slice(digits, &mut byte).map_err(|_| malformed())?;
        bytes.push(byte[0]);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests;
