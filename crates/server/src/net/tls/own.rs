//! A certificate of our own, for this machine's names, signed by a CA of our own.
//!
//! Clients that are told to trust the CA accept the certificate, and go on to when it is renewed.
//! The CA's key is read to sign, and stays in its file.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bellwire_services::kit::Micros;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::pki_types::DnsName;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    parse_x509_certificate,
};

use super::{DAY_MICROS, pair};

/// How long a CA is valid, and a certificate: longer ones some clients refuse.
const CA_DAYS: i64 = 3_652;
const CERTIFICATE_DAYS: i64 = 397;
/// Either is made anew at a start when it has less than this left.
const RENEWED_BEFORE_MICROS: Micros = 30 * DAY_MICROS;
/// How far back a new one begins: clients' clocks may be behind.
const BEGINS_BEFORE_MICROS: Micros = DAY_MICROS;

/// The files of a certificate of our own.
pub struct Own {
    /// The CA's certificate, for clients.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Makes what is missing or about to end in this folder (0700), for this machine's names and `names`.
///
/// # Errors
/// In one sentence that says what to do: a name is none, the folder cannot be used, a file in it is
/// damaged.
pub fn open(folder: &Path, names: &[String], now: Micros) -> anyhow::Result<Own> {
    let names = all_names(names)?;
    DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(folder)
        .and_then(|()| prepare(folder, &names, now))
        .with_context(|| {
            format!(
                "The certificates in {} cannot be used; remove it, and new ones are made",
                folder.display()
            )
        })?;
    let folder = fs::canonicalize(folder)?;
    let [ca, certificate, key] =
        ["ca.pem", "server.pem", "server.key"].map(|name| folder.join(name));
    Ok(Own { ca, certificate, key })
}

fn prepare(folder: &Path, names: &BTreeSet<String>, now: Micros) -> io::Result<()> {
    let (ca, signer) = match kept_ca(folder, now)? {
        Some(kept) => kept,
        None => new_ca(folder, now)?,
    };
    let (_, ca) = parse_x509_certificate(&ca).map_err(io::Error::other)?;
    let file = folder.join("server.pem");
    // Whatever is wrong with it, a new one is as good.
    let kept = pair::load(&file, &folder.join("server.key"), now)
        .ok()
        .filter(|kept| kept.ends_at - now >= RENEWED_BEFORE_MICROS)
        .and_then(|kept| Some(is_for(kept.certified.cert.first()?, &ca, names)));
    if kept == Some(true) {
        return Ok(());
    }
    let ca_ends_at = ca.validity().not_after.timestamp().saturating_mul(1_000_000);
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())
        .map_err(io::Error::other)?;
    params.distinguished_name = common_name("Bellwire");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    limit(&mut params, now, (now + CERTIFICATE_DAYS * DAY_MICROS).min(ca_ends_at));
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let signed = params.signed_by(&key, &signer).map_err(io::Error::other)?;
    // A key without its certificate is noticed at the next start, and both are made anew.
    write(folder, "server.key", 0o600, key.serialize_pem().as_bytes())?;
    write(folder, "server.pem", 0o600, signed.pem().as_bytes())
}

type Ca = (Vec<u8>, Issuer<'static, KeyPair>);

/// The CA of before, unless one of its files is missing, is not the other's, or it is about to end.
fn kept_ca(folder: &Path, now: Micros) -> io::Result<Option<Ca>> {
    let (file, key_file) = (folder.join("ca.pem"), folder.join("ca.key"));
    if !file.exists() || !key_file.exists() {
        return Ok(None);
    }
    let der = pair::certificates(&file).map_err(io::Error::other)?.swap_remove(0).to_vec();
    let key = KeyPair::from_pem(&fs::read_to_string(&key_file)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", key_file.display())))?;
    let (_, certificate) = parse_x509_certificate(&der).map_err(io::Error::other)?;
    let (_, ends_at) = pair::validity(&der).map_err(io::Error::other)?;
    let is_its_key = certificate.public_key().subject_public_key.data == key.der_bytes();
    if !is_its_key || ends_at - now < RENEWED_BEFORE_MICROS {
        return Ok(None);
    }
    let name = certificate.subject().iter_common_name().next();
    let name = name.and_then(|name| name.as_str().ok()).unwrap_or_default();
    let params = ca_params(name, now);
    Ok(Some((der, Issuer::new(params, key))))
}

fn new_ca(folder: &Path, now: Micros) -> io::Result<Ca> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    // A name of its own: a client may know the CAs of several servers.
    let id: String =
        key.der_bytes().iter().rev().take(4).map(|byte| format!("{byte:02x}")).collect();
    let params = ca_params(&format!("Bellwire CA {id}"), now);
    let certificate = params.self_signed(&key).map_err(io::Error::other)?;
    if folder.join("ca.pem").exists() {
        tracing::warn!(
            "the CA of before cannot be used any more: clients must be given the new one"
        );
    }
    write(folder, "ca.key", 0o600, key.serialize_pem().as_bytes())?;
    write(folder, "ca.pem", 0o644, certificate.pem().as_bytes())?;
    Ok((certificate.der().to_vec(), Issuer::new(params, key)))
}

fn ca_params(name: &str, now: Micros) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    limit(&mut params, now, now + CA_DAYS * DAY_MICROS);
    params
}

fn limit(params: &mut CertificateParams, now: Micros, ends_at: Micros) {
    let time = |at: Micros| {
        date_time_ymd(1970, 1, 1) + Duration::from_micros(u64::try_from(at).unwrap_or(0))
    };
    params.not_before = time(now - BEGINS_BEFORE_MICROS);
    params.not_after = time(ends_at);
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Whether a certificate was signed by this CA, for these names and no others.
fn is_for(certificate: &[u8], ca: &X509Certificate<'_>, names: &BTreeSet<String>) -> bool {
    let Ok((_, certificate)) = parse_x509_certificate(certificate) else { return false };
    let signed_by =
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
            _ => None,
        });
    let id = ca.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id),
        _ => None,
    });
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let of: BTreeSet<String> = alternative
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect();
    id.is_some() && signed_by == id && of == *names
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// This machine's names and those that were asked for, as a certificate has them.
fn all_names(asked: &[String]) -> anyhow::Result<BTreeSet<String>> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter().collect();
    // A machine whose name is none has no name.
    if let Ok(host) = rustix::system::uname().nodename().to_str() {
        let _ = add(&mut names, host);
    }
    for name in asked {
        add(&mut names, name).ok_or_else(|| {
            anyhow!("A certificate cannot have the name {name:?}; give DNS names and IP addresses.")
        })?;
    }
    Ok(names)
}

fn add(names: &mut BTreeSet<String>, name: &str) -> Option<()> {
    if let Ok(address) = name.parse::<IpAddr>() {
        names.insert(address.to_string());
        return Some(());
    }
    let name = name.to_ascii_lowercase();
    DnsName::try_from(name.strip_prefix("*.").unwrap_or(&name)).ok()?;
    names.insert(name);
    Some(())
}

/// Writes a file so that it is there whole, or as before, whatever happens.
fn write(folder: &Path, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}
