//! The hub's own certificate: what HTTPS needs so that a phone's browser gives a page its microphone.
//!
//! Nobody vouches for it, so browsers warn once; its fingerprint, which `antiphon join` shows, is what a person can
//! compare. It is made once and kept, for a fingerprint that changes teaches people not to look.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use crate::options::HubError;
use crate::state::files;

/// A certificate, and how connections are served with it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// For the listener.
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: `AB:CD:...`.
    pub fingerprint: String,
}

impl Certificate {
    /// The one kept in `dir`; it is made where there is none.
    ///
    /// # Errors
    /// Neither the file nor its copy reads (both are left as they are), or the system refuses.
    pub fn open(dir: &Path, hub: &str) -> Result<Self, HubError> {
        let path = dir.join("https.pem");
        if let Some(kept) = files::load(&path, Self::parse)? {
            return Ok(kept);
        }
        let refused = |error: String| HubError::System(std::io::Error::other(error));
        let text = make(hub).map_err(|error| refused(error.to_string()))?;
        files::keep(&path, text.as_bytes())?;
        Self::parse(&text).map_err(refused)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let why = |error: rustls::pki_types::pem::Error| error.to_string();
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(why)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(why)?;
        let fingerprint = fingerprint(&certificate);
        let config = config(certificate, key).map_err(|error| error.to_string())?;
        Ok(Self { config: Arc::new(config), fingerprint })
    }
}

/// Certificate and key, as PEM. It names this machine; addresses come and go, and no browser trusts it for a name.
fn make(hub: &str) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Antiphon hub {hub}"));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

fn config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = Certificate::open(dir.path(), "K\u{fc}che").unwrap().fingerprint;
        assert_eq!(first.len(), 32 * 3 - 1, "{first}");
        assert_eq!(Certificate::open(dir.path(), "other").unwrap().fingerprint, first);
        for name in ["https.pem", "https.pem.copy"] {
            let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_certificate_cut_off_at_any_byte_is_replaced_by_its_copy() {
        let dir = tempfile::tempdir().unwrap();
        let first = Certificate::open(dir.path(), "lab").unwrap().fingerprint;
        let path = dir.path().join("https.pem");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(Certificate::open(dir.path(), "lab").unwrap().fingerprint, first, "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_certificate_is_named_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("https.pem"), "nonsense").unwrap();
        let said = Certificate::open(dir.path(), "lab").unwrap_err().to_string();
        assert!(said.contains("https.pem"), "{said}");
    }
}
