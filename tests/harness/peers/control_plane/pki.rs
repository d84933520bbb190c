//! Keys and certificates of a control plane: an authority, a serving certificate for loopback, an administrator, and
//! the key that signs service account tokens.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::Path;

#[derive(Debug)]
pub(super) struct Pki {
    pub ca: String,
    pub admin_certificate: String,
    pub admin_key: String,
}

impl Pki {
    /// Makes everything and writes the files that the programs read: `ca.crt`, `tls.crt`, `tls.key`, `sa.pub`,
    /// `sa.key`.
    pub(super) fn create(dir: &Path) -> Self {
        let ca = CertifiedIssuer::self_signed(authority(), key()).expect("a certificate");
        let serving = key();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let certificate = leaf(&names, &[(DnType::CommonName, "127.0.0.1")], ExtendedKeyUsagePurpose::ServerAuth)
            .signed_by(&serving, &ca)
            .expect("a certificate");
        let admin = key();
        let subject = [(DnType::OrganizationName, "system:masters"), (DnType::CommonName, "tests")];
        let admin_certificate =
            leaf(&[], &subject, ExtendedKeyUsagePurpose::ClientAuth).signed_by(&admin, &ca).expect("a certificate");
        let tokens = key();
        for (name, content) in [
            ("ca.crt", ca.pem()),
            ("tls.crt", certificate.pem()),
            ("tls.key", serving.serialize_pem()),
            ("sa.pub", tokens.public_key_pem()),
            ("sa.key", tokens.serialize_pem()),
        ] {
            fs::write(dir.join(name), content).expect("a file of the keys");
        }
        Self { ca: ca.pem(), admin_certificate: admin_certificate.pem(), admin_key: admin.serialize_pem() }
    }

    /// A kubeconfig in JSON, which is YAML.
    pub(super) fn kubeconfig(&self, url: &str) -> String {
        let data = super::client::base64_of;
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": url, "certificate-authority-data": data(&self.ca)}}],
            "users": [{"name": "tests", "user": {
                "client-certificate-data": data(&self.admin_certificate),
                "client-key-data": data(&self.admin_key),
            }}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        })
        .to_string()
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "tests-ca");
    params
}

fn leaf(names: &[String], subject: &[(DnType, &str)], usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (part, value) in subject {
        params.distinguished_name.push(part.clone(), *value);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}
