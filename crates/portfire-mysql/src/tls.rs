//! Encryption, by rustls. What `ssl-mode` means is what it means to MySQL's own programs: `PREFERRED` and
//! `REQUIRED` encrypt without asking who answers; `VERIFY_IDENTITY` trusts only a certificate of a known
//! authority for the host that was named.

use std::path::Path;

use mysql_async::SslOpts;
use portfire_core::{Error, Result};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Whether to encrypt, and whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encryption {
    Off,
    /// If the server can; whoever answers.
    #[default]
    Preferred,
    /// Whoever answers.
    Required,
    /// The authorities that the system knows.
    System,
    /// The authorities in this file of PEM certificates.
    File(Box<Path>),
}

/// How connections are encrypted, if they are.
pub(crate) fn options(encryption: &Encryption) -> Result<Option<SslOpts>> {
    let options = SslOpts::default().with_disable_built_in_roots(true);
    let options = match encryption {
        Encryption::Off => return Ok(None),
        // The verifier that believes everybody is not made without somebody to believe.
        Encryption::Preferred | Encryption::Required => {
            SslOpts::default().with_danger_accept_invalid_certs(true)
        }
        Encryption::System => options.with_root_certs(system_roots()?.into_iter().map(Into::into).collect()),
        Encryption::File(file) => options.with_root_certs(vec![file_roots(file)?.into()]),
    };
    choose_provider();
    Ok(Some(options))
}

/// The driver takes the process's provider, and has no way to be told of another. An application that has chosen
/// one keeps it.
fn choose_provider() {
    if CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster; theirs is as good.
        drop(ring::default_provider().install_default());
    }
}

/// Read at once, so that a file that is not there is not taken for a database that is not.
fn file_roots(file: &Path) -> Result<Vec<u8>> {
    let failed = || Error::misuse(format!("`ssl-ca` {} cannot be read", file.display()));
    let text = std::fs::read(file).map_err(|e| failed().caused_by(e))?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    if certificates.map_err(|e| failed().caused_by(e))?.is_empty() {
        return Err(Error::misuse(format!("`ssl-ca` {} has no certificate", file.display())));
    }
    Ok(text)
}

fn system_roots() -> Result<Vec<Vec<u8>>> {
    let known = rustls_native_certs::load_native_certs().certs;
    if known.is_empty() {
        return Err(Error::broken(
            "the system names no certificate authorities, so `ssl-mode=VERIFY_IDENTITY` can trust nobody; \
             install `ca-certificates`, or name a file with `ssl-ca`",
        ));
    }
    Ok(known.into_iter().map(|certificate| certificate.to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Encryption, options};

    #[test]
    fn a_file_of_authorities_has_one() {
        let file = |name: &str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            options(&Encryption::File(file.into()))
        };
        assert!(file("tests/it/tls/authority.pem").is_ok());
        for bad in ["tests/it/tls/nothing.pem", "schema.sql"] {
            let refused = file(bad).unwrap_err();
            assert!(refused.is_misuse() && refused.to_string().contains("`ssl-ca`"), "{refused}");
        }
    }
}
