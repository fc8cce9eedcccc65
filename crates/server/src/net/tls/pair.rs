//! A certificate with its chain and its key, from PEM files.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, anyhow, bail};
use bellwire_services::kit::Micros;
use jiff::Timestamp;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::parse_x509_certificate;

/// What a server shows and signs with.
pub struct Pair {
    /// The chain and the key.
    pub certified: Arc<CertifiedKey>,
    /// When the certificate ends.
    pub ends_at: Micros,
}

/// Loads a pair and checks that it can be used now.
///
/// # Errors
/// In one sentence that names the file and says what to do.
pub fn load(certificate: &Path, key: &Path, now: Micros) -> anyhow::Result<Pair> {
    let (name, key_name) = (certificate.display(), key.display());
    let chain = certificates(certificate)?;
    let der = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| {
        anyhow!(
            "There is no private key in {key_name}; it must be a PEM file with an unencrypted \
             PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY."
        )
    })?;
    let signer = ring::sign::any_supported_type(&der).map_err(|_| {
        anyhow!("The key in {key_name} is of no kind that is supported; use ECDSA P-256, RSA or Ed25519.")
    })?;
    let (begins_at, ends_at) = validity(&chain[0]).with_context(|| {
        format!("The certificate in {name} is damaged; get it anew from where it was made")
    })?;
    let certified = CertifiedKey::new(chain, signer);
    if certified.keys_match().is_err() {
        bail!(
            "The key in {key_name} does not belong to the certificate in {name}; \
             give the two that were made together."
        );
    }
    if ends_at <= now {
        bail!("The certificate in {name} ended on {}; renew it.", date(ends_at));
    }
    if begins_at > now {
        bail!(
            "The certificate in {name} is valid only from {} on; check this machine's clock, or use \
             another.",
            date(begins_at)
        );
    }
    Ok(Pair { certified: Arc::new(certified), ends_at })
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// In one sentence that names the file and says what to do.
pub fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => bail!(
            "There is no certificate in {}; it must be a PEM file, the server's certificate first \
             and its chain behind it.",
            file.display()
        ),
    }
}

/// From when to when a certificate is valid.
pub fn validity(certificate: &[u8]) -> anyhow::Result<(Micros, Micros)> {
    let (_, certificate) = parse_x509_certificate(certificate)?;
    let micros = |seconds: i64| seconds.saturating_mul(1_000_000);
    let validity = certificate.validity();
    Ok((micros(validity.not_before.timestamp()), micros(validity.not_after.timestamp())))
}

/// The day of a time, as people read it.
pub fn date(at: Micros) -> String {
    let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX);
    at.strftime("%Y-%m-%d").to_string()
}

/// # Errors
/// In one sentence that names the file and says what to do.
pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).map_err(|error| {
        anyhow!(
            "The file {} cannot be read ({error}); give a PEM file that the server may read.",
            file.display()
        )
    })
}
