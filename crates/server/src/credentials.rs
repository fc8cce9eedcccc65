//! Tokens as text: JSON Web Tokens (RFC 7519), signed with HMAC-SHA-256 and nothing else.
//!
//! One algorithm exists here, keys are looked up by `kid` in a map, and `exp`, `iss`, `aud` and
//! `jti` are required. What a header says of other keys or algorithms (`alg`, `jku`, `jwk`, `x5u`)
//! is refused or means nothing.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, Once},
};

use bellwire_services::kit::{Claims, Micros};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::plain;

const ISSUER: &str = "bellwire";
/// Whom a token is for, and whom a ticket: so neither is ever taken for the other.
const AUDIENCES: [&str; 2] = ["bellwire", "bellwire/ticket"];
/// The longest text of a token, in bytes.
const TOKEN_LEN_MAX: usize = 4 << 10;

/// The keys that sign and verify.
pub struct Keyring {
    /// The key that signs: the last by name, k10 after k9.
    current: String,
    keys: HashMap<String, (EncodingKey, DecodingKey)>,
    /// Tokens that were found to have ended before their time, by `jti`. A `Mutex`: every handshake
    /// with a token asks, for nanoseconds.
    ended: Mutex<HashSet<String>>,
    digest_secret: [u8; 32],
    /// This process, if tickets of others are refused.
    own: Option<String>,
}

/// So many ended tokens are remembered; then they are found out anew.
const ENDED_MAX: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Signed {
    iss: String,
    aud: String,
    /// Not good before then, in seconds since the epoch; ours never have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    /// By which process a ticket was made, where that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    #[serde(flatten)]
    claims: Claims,
}

impl Keyring {
    /// Loads the keys of a directory (0700), each a file `kN.key` (0600) of 32 bytes; makes the
    /// first one, from `chance`, if there is none.
    ///
    /// # Errors
    /// The file system's; and a key file of another length.
    pub fn open(directory: &Path, chance: &[u8; 32]) -> io::Result<Keyring> {
        install_hs256();
        DirBuilder::new().mode(0o700).recursive(true).create(directory)?;
        let Found { keys: mut secrets, ignored } = read_keys(directory)?;
        for name in ignored {
            tracing::warn!("{} is not used as a key: {KEY_NAMES}", directory.join(name).display());
        }
        if secrets.is_empty() {
            write_key(directory, "k1", chance)?;
            secrets.insert("k1".to_owned(), *chance);
        }
        let newest = secrets.iter().max_by_key(|(kid, _)| (kid.len(), kid.as_str()));
        let (current, secret) = newest.expect("there is at least one");
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        let digest_secret = mac.chain_update(b"digests of requests").finalize().into_bytes().into();
        let current = current.clone();
        let keys = secrets.iter().map(|(kid, secret)| (kid.clone(), pair(secret))).collect();
        Ok(Keyring { current, keys, ended: Mutex::default(), digest_secret, own: None })
    }

    /// Refuses tickets that other processes made than this one, which is called so: the clock was set back between
    /// them and it, so what they say of their end may be true again, and that they were used forgotten.
    pub fn refuse_tickets_of_others(&mut self, own: String) {
        self.own = Some(own);
    }

    /// The text of a token or a ticket.
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.current.clone());
        let audience = AUDIENCES[usize::from(claims.is_ticket())].to_owned();
        let of = self.own.clone().filter(|_| claims.is_ticket());
        let signed =
            Signed { iss: ISSUER.into(), aud: audience, nbf: None, of, claims: claims.clone() };
        let (key, _) = &self.keys[&self.current];
        jsonwebtoken::encode(&header, &signed, key)
            .expect("claims serialise and HS256 is installed")
    }

    /// What a token says, if it is one of ours and has not ended. Whether it was revoked only its
    /// row tells.
    pub fn verify(&self, token: &str, now: Micros) -> Option<Claims> {
        let claims = self.decode(token, AUDIENCES[0], now).filter(|claims| !claims.is_ticket())?;
        (!self.lock().contains(&claims.jti)).then_some(claims)
    }

    /// What a ticket says, if it is one of ours and has not ended. Whether it was used only its row tells.
    pub fn verify_ticket(&self, ticket: &str, now: Micros) -> Option<Claims> {
        self.decode(ticket, AUDIENCES[1], now).filter(Claims::is_ticket)
    }

    fn decode(&self, text: &str, audience: &str, now: Micros) -> Option<Claims> {
        if text.len() > TOKEN_LEN_MAX {
            return None;
        }
        let header = jsonwebtoken::decode_header(text).ok()?;
        // What must be understood, is not (RFC 7515 section 4.1.11).
        if header.crit.is_some() {
            return None;
        }
        let (_, key) = self.keys.get(header.kid.as_deref()?)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.validate_exp = false; // By our own clock, below.
        let Signed { nbf, of, claims, .. } =
            jsonwebtoken::decode::<Signed>(text, key, &rules).ok()?.claims;
        if claims.is_ticket() && self.own.is_some() && of != self.own {
            return None;
        }
        let has_begun = nbf.is_none_or(|nbf| nbf.saturating_mul(1_000_000) <= now);
        (has_begun && claims.expires_at() > now).then_some(claims)
    }

    /// A secret for digests of requests that may hold passwords, so that who has the database alone
    /// cannot try passwords on them.
    pub fn digest_secret(&self) -> &[u8; 32] {
        &self.digest_secret
    }

    /// Remembers that a token was revoked: that is for good, and whoever goes on showing it counts as
    /// someone without a credential, before anything is read for it.
    pub fn note_ended(&self, jti: &str) {
        let mut ended = self.lock();
        if ended.len() >= ENDED_MAX {
            ended.clear();
        }
        ended.insert(jti.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.ended.lock().expect("nobody panics under this lock")
    }
}

/// Writes a key; it is there whole or not at all.
fn write_key(directory: &Path, kid: &str, secret: &[u8; 32]) -> io::Result<()> {
    let part = directory.join(format!("{kid}.part"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(&part, directory.join(format!("{kid}.key")))?;
    fs::File::open(directory)?.sync_all()
}

/// What the names of keys are like.
const KEY_NAMES: &str = "keys are named k1.key, k2.key and so on";

/// What is in a directory of keys.
#[derive(Debug, Default)]
pub struct Found {
    /// The keys, by name.
    pub keys: HashMap<String, [u8; 32]>,
    /// The names of files that end as those of keys do and are none, such as a copy that somebody made:
    /// it would come after the newest key, and sign.
    pub ignored: Vec<String>,
}

/// The keys of a directory: each a regular file `kN.key` of 32 bytes, where N is a number.
///
/// # Errors
/// The file system's; and a key that is another kind of file, or of another length.
pub fn read_keys(directory: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(kid) = name.strip_suffix(".key") else { continue };
        let number = kid.strip_prefix('k').unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            found.ignored.push(name.into_owned());
            continue;
        }
        let at = path.display();
        // One byte more tells that it is too long.
        let secret = plain::read(&path, 33).map_err(|error| {
            io::Error::new(error.kind(), format!("{at} cannot be read: {error}"))
        })?;
        let secret = secret
            .try_into()
            .map_err(|_| io::Error::other(format!("{at} is not a key of 32 bytes")))?;
        found.keys.insert(kid.to_owned(), secret);
    }
    Ok(found)
}

fn pair(secret: &[u8]) -> (EncodingKey, DecodingKey) {
    (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret))
}

/// HMAC-SHA-256 for the JWT library, which then knows no other algorithm.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: &Algorithm, secret: &[u8]) -> Result<Hs256, Error> {
        let mac = Hmac::new_from_slice(secret).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        if *algorithm == Algorithm::HS256 {
            Ok(Hs256(mac))
        } else {
            Err(ErrorKind::InvalidAlgorithm.into())
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.0
            .clone()
            .chain_update(message)
            .verify_slice(signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

fn install_hs256() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?)),
        verifier_factory: |algorithm, key| match key.try_get_as_bytes() {
            Ok(secret) => Ok(Box::new(Hs256::new(algorithm, secret)?)),
            Err(error) => Err(error),
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // It fails only if another provider is there already, and nobody else installs one.
        let _ = PROVIDER.install_default();
    });
}

/// 256 bits from the system's generator.
pub fn chance() -> [u8; 32] {
    let mut seed = [0; 32];
    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    getrandom::fill(&mut seed).expect("the system has a generator of random numbers");
    seed
}
