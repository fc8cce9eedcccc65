//! Requests and replies about tokens.

use serde::{Deserialize, Serialize};

use crate::kit::{Role, Scope, present};

/// The shortest and longest life of a token, in seconds: a second, and ten years.
pub const TTL_S: std::ops::RangeInclusive<i64> = 1..=10 * 366 * 86_400;
/// The longest subject, in bytes.
pub const SUBJECT_LEN_MAX: usize = 128;
/// The most scopes of a token: as many as a connection may pick entities.
pub const SCOPES_MAX: usize = 1_000;

/// Makes a token. The reply is a [`Token`] with `token`, the signed text, which is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateToken {
    /// What kind of caller holds it.
    pub role: Role,
    /// Whom it speaks for, to 128 bytes: a user's, client's or device's id.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Rights beyond the role's own.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// How long it is valid, in seconds.
    pub ttl_s: i64,
}

/// Sets the scopes of a token, at once for live connections too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeToken {
    /// Which token.
    pub id: String,
    /// All its scopes from now on.
    pub scopes: Vec<Scope>,
}

/// Ends a token and every connection that uses it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RevokeToken {
    /// Which token.
    pub id: String,
}

/// Asks for all tokens; the reply is `{"items":[Token, ..]}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tokens {}

/// A token, without its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its id, e.g. `tok_7`.
    pub id: String,
    /// What kind of caller holds it.
    pub role: String,
    /// Whom it speaks for.
    pub subject: Option<String>,
    /// Its rights beyond the role's.
    pub scopes: Vec<Scope>,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Whether it was ended before its time.
    pub revoked: bool,
}
