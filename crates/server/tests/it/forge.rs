//! Tokens made by someone who holds the key, and by someone who does not (RFC 7515, RFC 7519): for
//! tests of what a server takes for a token.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::harness::Token;

/// The server's key, and the header and claims of a token of its own.
pub struct Forge {
    key: Vec<u8>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Forge {
    /// Takes the key from a data directory, and the rest from a real token.
    pub fn new(data: &Path, token: &Token) -> Forge {
        let mut parts = token.text.split('.').map(|part| {
            let part = URL_SAFE_NO_PAD.decode(part).expect("a token is base64url");
            serde_json::from_slice(&part).unwrap_or_default()
        });
        Forge {
            key: fs::read(data.join("keys/k1.key")).expect("the first key is k1"),
            header: parts.next().expect("a header"),
            claims: parts.next().expect("claims"),
        }
    }

    /// A token with these changes to its header and claims; `null` takes a member out.
    pub fn token(&self, header: &[(&str, Value)], claims: &[(&str, Value)]) -> String {
        self.signed(&self.key, &changed(&self.header, header), &changed(&self.claims, claims))
    }

    fn signed(
        &self,
        key: &[u8],
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> String {
        let part = |part: &Map<String, Value>| {
            URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("an object serialises"))
        };
        sign(key, &format!("{}.{}", part(header), part(claims)))
    }

    /// What must be refused, by name.
    pub fn bad_tokens(&self) -> Vec<(&'static str, String)> {
        let good = self.token(&[], &[]);
        let (unsigned, signature) = good.rsplit_once('.').expect("three parts");
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let flipped = format!("{unsigned}.{first}{}", &signature[1..]);
        let header = |changes: &[(&str, Value)]| self.token(changes, &[]);
        let claim = |changes: &[(&str, Value)]| self.token(&[], changes);
        let own_key = |changes| self.signed(b"mine", &changed(&self.header, changes), &self.claims);
        let none = header(&[("alg", json!("none"))]);
        let none_unsigned = format!("{}.", none.rsplit_once('.').expect("three parts").0);
        let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"mine"), "kid": "k1" });
        vec![
            ("garbage", "garbage".into()),
            ("two dots", "..".into()),
            ("empty objects", "e30.e30.e30".into()),
            ("5 KiB", "x".repeat(5 << 10)),
            ("a good one of 5 KiB", claim(&[("pad", json!("x".repeat(5 << 10)))])),
            ("four parts", format!("{good}.e30")),
            ("padded", format!("{good}=")),
            (
                "claims that are no JSON",
                sign(
                    &self.key,
                    &format!("{}.AAAA", &unsigned[..unsigned.find('.').expect("two parts")]),
                ),
            ),
            ("alg none", none),
            ("alg none, unsigned", none_unsigned),
            ("alg None", header(&[("alg", json!("None"))])),
            ("alg HS512", header(&[("alg", json!("HS512"))])),
            ("alg RS256", header(&[("alg", json!("RS256"))])),
            ("alg hs256", header(&[("alg", json!("hs256"))])),
            ("no alg", header(&[("alg", Value::Null)])),
            ("no signature", format!("{unsigned}.")),
            ("another signature", flipped),
            (
                "another claim under this signature",
                format!(
                    "{}.{signature}",
                    claim(&[("sub", json!("x"))]).rsplit_once('.').expect("three parts").0
                ),
            ),
            ("another key", own_key(&[])),
            ("another key, brought along", own_key(&[("jwk", jwk)])),
            (
                "another key, to be fetched",
                own_key(&[
                    ("jku", json!("http://127.0.0.1/k")),
                    ("x5u", json!("http://127.0.0.1/k")),
                ]),
            ),
            ("an empty key", self.signed(b"", &self.header, &self.claims)),
            ("no kid", header(&[("kid", Value::Null)])),
            ("an unknown kid", header(&[("kid", json!("k2"))])),
            ("a kid that is a path", header(&[("kid", json!("../keys/k1"))])),
            ("a kid that is a number", header(&[("kid", json!(1))])),
            ("no exp", claim(&[("exp", Value::Null)])),
            ("exp in the past", claim(&[("exp", json!(1_000_000_000))])),
            ("exp as text", claim(&[("exp", json!("9999999999"))])),
            ("no iss", claim(&[("iss", Value::Null)])),
            ("another iss", claim(&[("iss", json!("bellwire2"))])),
            ("no aud", claim(&[("aud", Value::Null)])),
            ("another aud", claim(&[("aud", json!("elsewhere"))])),
            ("no jti", claim(&[("jti", Value::Null)])),
            ("an unknown jti", claim(&[("jti", json!("0".repeat(32)))])),
            ("a jti that is a list", claim(&[("jti", json!(["a"]))])),
        ]
    }
}

fn changed(object: &Map<String, Value>, changes: &[(&str, Value)]) -> Map<String, Value> {
    let mut object = object.clone();
    for (key, value) in changes {
        match value {
            Value::Null => object.shift_remove(*key),
            value => object.insert((*key).to_owned(), value.clone()),
        };
    }
    object
}

fn sign(key: &[u8], unsigned: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    let signature = mac.chain_update(unsigned).finalize().into_bytes();
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}
