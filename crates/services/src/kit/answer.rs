//! What a call answers.

use bellwire_store::change::{Code, Fault, Micros};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A reply as JSON text, and what the door has to sign for it.
#[derive(Debug)]
pub struct Answer {
    /// The reply.
    pub json: Box<RawValue>,
    /// When present, the door makes a token of it and adds it to the reply as `token`. So no token
    /// is ever stored, not even for an idempotent replay.
    pub sign: Option<Claims>,
}

impl Answer {
    /// The answer that `reply` serialises to.
    ///
    /// # Errors
    /// [`Code::Internal`] if it does not serialise, which is a bug in the reply's type.
    pub fn of<R: Serialize>(reply: &R, sign: Option<Claims>) -> Result<Answer, Fault> {
        let json = to_raw_value(reply).map_err(|error| {
            Fault::new(Code::Internal, format!("a reply does not serialise: {error}"))
        })?;
        Ok(Answer { json, sign })
    }
}

/// What a token says (RFC 7519): the door adds `iss` and `aud` and signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The token's own id, unguessable; the row in `tokens` is found by it.
    pub jti: String,
    /// Whom it speaks for.
    pub sub: String,
    /// The role's name.
    pub role: String,
    /// When it was made, in seconds since the epoch.
    pub iat: i64,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
}

impl Claims {
    /// When it ends, in microseconds.
    pub fn expires_at(&self) -> Micros {
        self.exp.saturating_mul(1_000_000)
    }
}

/// A reply that goes out with a freshly signed token in it.
#[derive(Debug)]
pub struct Signed<R> {
    /// The rest of the reply: an object without `token`.
    pub reply: R,
    /// What to sign.
    pub claims: Claims,
}
