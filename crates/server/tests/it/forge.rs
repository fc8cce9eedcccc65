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
        [
            self.misshapen(),
            self.other_algorithms(),
            self.other_keys(),
            self.other_kids(),
            self.other_claims(),
            self.doubled(),
        ]
        .concat()
    }

    /// What is no token at all, or a token with something too much.
    fn misshapen(&self) -> Rows {
        let good = self.token(&[], &[]);
        let [header, claims, signature] = parts(&good);
        let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
        let not_json = sign(&self.key, &format!("{header}.AAAA"));
        // The last of 43 characters has two bits that mean nothing.
        let loose = |part: &str| {
            const LETTERS: &[u8] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let (rest, last) = part.split_at(part.len() - 1);
            let at = LETTERS.iter().position(|letter| last.as_bytes() == [*letter]);
            format!("{rest}{}", char::from(LETTERS[at.expect("base64url") ^ 1]))
        };
        vec![
            ("garbage", "garbage".into()),
            ("two dots", "..".into()),
            ("three dots", "...".into()),
            ("empty objects", "e30.e30.e30".into()),
            ("5 KiB", "x".repeat(5 << 10)),
            ("a good one of 5 KiB", self.token(&[], &[("pad", json!("x".repeat(5 << 10)))])),
            ("6 KiB of dots", ".".repeat(6 << 10)),
            ("four parts", format!("{good}.e30")),
            (
                "five parts, as if encrypted",
                format!("{header}.{claims}.{claims}.{claims}.{signature}"),
            ),
            ("a trailing dot", format!("{good}.")),
            ("a leading dot", format!(".{good}")),
            ("padded", format!("{good}=")),
            ("a padded header", replaced(".", "=.")),
            ("a loose signature", format!("{header}.{claims}.{}", loose(signature))),
            ("standard base64", format!("{header}.{claims}.+/{}", &signature[2..])),
            ("a tail behind the signature", format!("{good}AAAA")),
            ("a shorter signature", format!("{header}.{claims}.{}", &signature[..40])),
            ("a space behind", format!("{good}%20")),
            ("claims that are no JSON", not_json),
            (
                "claims that are a list",
                self.raw(&Value::Object(self.header.clone()).to_string(), "[]"),
            ),
            (
                "a header that is a list",
                self.raw("[]", &Value::Object(self.claims.clone()).to_string()),
            ),
            ("no signature", format!("{header}.{claims}.")),
            ("header and claims alone", format!("{header}.{claims}")),
        ]
    }

    fn other_algorithms(&self) -> Rows {
        let header = |changes: &[(&str, Value)]| self.token(changes, &[]);
        let of = |alg: &'static str| (alg, header(&[("alg", json!(alg))]));
        let none = header(&[("alg", json!("none"))]);
        let [head, claims, _] = parts(&none);
        let mut rows: Rows = [
            "none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "PS256", "ES256",
            "EdDSA", "hs256", "HS256 ", "A128KW", "dir",
        ]
        .map(of)
        .into();
        rows.extend([
            ("alg none, unsigned", format!("{head}.{claims}.")),
            ("no alg", header(&[("alg", Value::Null)])),
            ("an alg that is a list", header(&[("alg", json!(["HS256"]))])),
            ("what must be understood", header(&[("crit", json!(["exp"]))])),
            (
                "what must be understood, in part",
                header(&[("crit", json!(["b64"])), ("b64", json!(false))]),
            ),
        ]);
        rows
    }

    fn other_keys(&self) -> Rows {
        let own_key = |changes| self.signed(b"mine", &changed(&self.header, changes), &self.claims);
        let good = self.token(&[], &[]);
        let [header, claims, signature] = parts(&good);
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let other = self.token(&[], &[("sub", json!("x"))]);
        let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"mine"), "kid": "k1" });
        let there = json!("http://127.0.0.1/k");
        vec![
            ("another signature", format!("{header}.{claims}.{first}{}", &signature[1..])),
            (
                "another claim under this signature",
                format!("{header}.{}.{signature}", parts(&other)[1]),
            ),
            ("another key", own_key(&[])),
            ("another key, brought along", own_key(&[("jwk", jwk)])),
            ("another key, to be fetched", own_key(&[("jku", there.clone())])),
            ("another certificate, to be fetched", own_key(&[("x5u", there)])),
            (
                "another certificate",
                own_key(&[("x5c", json!(["bWluZQ=="])), ("x5t", json!("bWluZQ"))]),
            ),
            ("another key, another algorithm", own_key(&[("alg", json!("HS512"))])),
            ("an empty key", self.signed(b"", &self.header, &self.claims)),
            ("the key's name as the key", self.signed(b"k1", &self.header, &self.claims)),
            ("a key of zeros", self.signed(&[0; 32], &self.header, &self.claims)),
        ]
    }

    fn other_kids(&self) -> Rows {
        let kid = |kid: Value| self.token(&[("kid", kid)], &[]);
        vec![
            ("no kid", kid(Value::Null)),
            ("an unknown kid", kid(json!("k2"))),
            ("an empty kid", kid(json!(""))),
            ("a kid in capitals", kid(json!("K1"))),
            ("a kid that is a path", kid(json!("../keys/k1"))),
            ("a kid that is a file", kid(json!("k1.key"))),
            ("a kid that is any file", kid(json!("/dev/null"))),
            ("a kid that is SQL", kid(json!("k1' OR '1'='1"))),
            ("a kid with a NUL", kid(json!("k1\u{0}"))),
            ("a kid with a line", kid(json!("k1\n"))),
            ("a kid that is a number", kid(json!(1))),
            ("a kid that is a list", kid(json!(["k1"]))),
            ("a kid that is an object", kid(json!({ "k1": "k1" }))),
        ]
    }

    fn other_claims(&self) -> Rows {
        let claim = |name: &str, value: Value| self.token(&[], &[(name, value)]);
        let later = self.claims["exp"].clone();
        vec![
            ("no exp", claim("exp", Value::Null)),
            ("exp in the past", claim("exp", json!(1_000_000_000))),
            ("exp before time", claim("exp", json!(-1))),
            ("exp as text", claim("exp", json!("9999999999"))),
            ("exp as a list", claim("exp", json!([9_999_999_999_i64]))),
            ("exp past all numbers", claim("exp", json!(1e30))),
            ("exp past 63 bits", claim("exp", json!(u64::MAX))),
            ("exp with a fraction", claim("exp", json!(9_999_999_999.5))),
            ("no iat", claim("iat", Value::Null)),
            ("iat as text", claim("iat", json!("1"))),
            ("no iss", claim("iss", Value::Null)),
            ("another iss", claim("iss", json!("bellwire2"))),
            ("iss among others", claim("iss", json!(["bellwire", "elsewhere"]))),
            ("no aud", claim("aud", Value::Null)),
            ("another aud", claim("aud", json!("elsewhere"))),
            ("a ticket's aud", claim("aud", json!("bellwire/ticket"))),
            ("aud among others", claim("aud", json!(["elsewhere", "bellwire"]))),
            ("no jti", claim("jti", Value::Null)),
            ("an unknown jti", claim("jti", json!("0".repeat(32)))),
            ("an empty jti", claim("jti", json!(""))),
            ("a jti that is SQL", claim("jti", json!("' OR '1'='1"))),
            ("a jti that is a pattern", claim("jti", json!("%"))),
            ("a jti that is a list", claim("jti", json!(["a"]))),
            ("no sub", claim("sub", Value::Null)),
            ("sub as a number", claim("sub", json!(1))),
            ("no role", claim("role", Value::Null)),
            ("role as a list", claim("role", json!(["admin"]))),
            ("a ticket's role", claim("role", json!("ticket"))),
            ("not before the end", claim("nbf", later)),
            ("not before, as text", claim("nbf", json!("1"))),
        ]
    }

    /// Members that stand twice, of which either might count.
    fn doubled(&self) -> Rows {
        let text = |object: &Map<String, Value>| Value::Object(object.clone()).to_string();
        let (header, claims) = (text(&self.header), text(&self.claims));
        let with = |object: &str, member: &str| format!("{{{member},{}", &object[1..]);
        vec![
            ("alg twice", self.raw(&with(&header, r#""alg":"none""#), &claims)),
            ("kid twice", self.raw(&with(&header, r#""kid":"k1""#), &claims)),
            ("jti twice", self.raw(&header, &with(&claims, r#""jti":"x""#))),
            ("exp twice", self.raw(&header, &with(&claims, r#""exp":9999999999"#))),
            ("aud twice", self.raw(&header, &with(&claims, r#""aud":"bellwire""#))),
            ("role twice", self.raw(&header, &with(&claims, r#""role":"admin""#))),
        ]
    }

    /// A token of these texts, whatever they are, with a good signature.
    fn raw(&self, header: &str, claims: &str) -> String {
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        sign(&self.key, &format!("{header}.{claims}"))
    }
}

type Rows = Vec<(&'static str, String)>;

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().expect("three parts")
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
