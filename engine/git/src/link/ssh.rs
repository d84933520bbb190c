//! The `ssh` command line. The host's key is always checked, nobody is ever asked anything.

use super::Service;
use crate::url::Ssh;
use crate::{Credentials, CredentialsError, Error};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Whom to call and how to prove who we are.
pub(super) struct Dial {
    pub(super) ssh: Ssh,
    pub(super) credentials: Credentials,
}

impl Dial {
    /// Everything after `ssh`.
    pub(super) fn arguments(&self, service: Service, connect: Duration) -> Result<Vec<OsString>, Error> {
        let mut arguments: Vec<OsString> = ["-x", "-T", "-a"].map(OsString::from).into();
        for option in self.options(connect)? {
            arguments.extend(["-o".into(), option]);
        }
        if let Some(port) = self.ssh.port {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        if let Some(user) = &self.ssh.user {
            arguments.extend(["-l".into(), user.into()]);
        }
        arguments.extend(["--".into(), OsString::from(&self.ssh.host)]);
        arguments.push(format!("git-{} {}", service.name(), quoted(&self.ssh.path)).into());
        Ok(arguments)
    }

    fn options(&self, connect: Duration) -> Result<Vec<OsString>, CredentialsError> {
        let known_hosts = self.known_hosts()?;
        let mut options: Vec<OsString> = [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "CheckHostIP=no",
            "UpdateHostKeys=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "SendEnv=GIT_PROTOCOL",
        ]
        .map(OsString::from)
        .into();
        options.push(format!("ConnectTimeout={}", connect.as_secs().max(1)).into());
        options.push(file_option("UserKnownHostsFile", &known_hosts));
        if self.credentials.known_hosts.is_some() {
            options.push("GlobalKnownHostsFile=/dev/null".into());
        }
        if let Some(key) = &self.credentials.ssh_key {
            let fail = |e: std::io::Error| CredentialsError::File { path: key.clone(), why: e.to_string() };
            std::fs::metadata(key).map_err(fail)?;
            options.push("IdentitiesOnly=yes".into());
            options.push(file_option("IdentityFile", key));
        }
        Ok(options)
    }

    fn known_hosts(&self) -> Result<PathBuf, CredentialsError> {
        let path = match &self.credentials.known_hosts {
            Some(path) => path.clone(),
            None => std::env::home_dir().ok_or(CredentialsError::NoHome)?.join(".ssh/known_hosts"),
        };
        let fail = |why: String| CredentialsError::File { path: path.clone(), why };
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(fail("not a file".to_owned())),
            Err(e) => {
                let hint = "the server's key must be in it, see ssh-keyscan; another file: --git-known-hosts";
                Err(fail(format!("{e} ({hint})")))
            }
        }
    }
}

/// `ssh` reads option values as it reads its configuration: `%` begins a token, quotes hold spaces together.
fn file_option(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push("=\"");
    text.push(path.to_string_lossy().replace('%', "%%"));
    text.push("\"");
    text
}

/// For the server's shell: in single quotes, which end nowhere within.
fn quoted(path: &str) -> String {
    let mut out = String::from("'");
    for c in path.chars() {
        match c {
            // History expansion of csh, as git quotes it.
            '\'' | '!' => {
                out.push_str("'\\");
                out.push(c);
                out.push('\'');
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RemoteUrl, url::Place};

    fn dial(url: &str, credentials: Credentials) -> Dial {
        match RemoteUrl::parse(url).unwrap().0 {
            Place::Ssh(ssh) => Dial { ssh, credentials },
            Place::Path(_) | Place::Http(_) => panic!("{url}"),
        }
    }

    #[test]
    fn the_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let (hosts, key) = (dir.path().join("known 100% hosts"), dir.path().join("key"));
        std::fs::write(&hosts, "").unwrap();
        std::fs::write(&key, "").unwrap();
        let credentials = Credentials { ssh_key: Some(key), known_hosts: Some(hosts), ..Credentials::default() };
        let dial = dial("ssh://git@host.example:2222/srv/it%27s!.git", credentials);
        let args = dial.arguments(Service::ReceivePack, Duration::from_millis(2500)).unwrap();
        let args: Vec<_> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        let path = dir.path().display();
        let expected = [
            "-x -T -a -o BatchMode=yes -o StrictHostKeyChecking=yes -o CheckHostIP=no -o UpdateHostKeys=no",
            "-o ClearAllForwardings=yes -o PermitLocalCommand=no -o SendEnv=GIT_PROTOCOL -o ConnectTimeout=2",
            &format!("-o UserKnownHostsFile=\"{path}/known 100%% hosts\" -o GlobalKnownHostsFile=/dev/null"),
            &format!("-o IdentitiesOnly=yes -o IdentityFile=\"{path}/key\" -p 2222 -l git -- host.example"),
            "git-receive-pack '/srv/it'\\''s'\\!'.git'",
        ];
        assert_eq!(args.join(" "), expected.join(" "));
    }

    #[test]
    fn without_known_hosts_nothing_is_called() {
        let missing = Credentials { known_hosts: Some("/does/not/exist".into()), ..Credentials::default() };
        let error = dial("git@host:x", missing).arguments(Service::UploadPack, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("/does/not/exist") && error.to_string().contains("ssh-keyscan"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let folder = Credentials { known_hosts: Some(dir.path().to_owned()), ..Credentials::default() };
        assert!(dial("git@host:x", folder).arguments(Service::UploadPack, Duration::ZERO).is_err());
        let hosts = dir.path().join("hosts");
        std::fs::write(&hosts, "").unwrap();
        let no_key =
            Credentials { known_hosts: Some(hosts), ssh_key: Some("/no/key".into()), ..Credentials::default() };
        let error = dial("git@host:x", no_key).arguments(Service::UploadPack, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("/no/key"), "{error}");
    }
}
