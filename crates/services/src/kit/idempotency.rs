//! A retry with the same key takes effect once.
//!
//! The reply is stored in the transaction that made it true, per principal and command, and is
//! given again for 24 hours. A refused command is not stored: a retry of it is decided anew.

use bellwire_store::{statements, tx::Value};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Answer, Code, Ctx, Fault, Micros, Outcome, Payload, Service, Tx};

/// How long a reply is kept.
pub const KEPT_MICROS: Micros = 24 * 3600 * 1_000_000;
/// The longest key, in bytes.
pub const KEY_LEN_MAX: usize = 128;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE idempotency (
        principal TEXT NOT NULL,
        command TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        request BLOB NOT NULL,
        reply TEXT NOT NULL,
        claims TEXT,
        at INTEGER NOT NULL,
        PRIMARY KEY (principal, command, idempotency_key)
    );
    CREATE INDEX idempotency_at ON idempotency (at);
", "
    -- Replies about states were kept as {\"data\":STATE}; they are the state itself now.
    ALTER TABLE idempotency ADD COLUMN is_new INTEGER;
    UPDATE idempotency SET reply = substr(reply, 9, length(reply) - 9) WHERE substr(reply, 1, 8) = '{\"data\":';
"];

statements! {
    /// The reply given under a key.
    FIND = "SELECT request, reply, claims, at, is_new FROM idempotency
            WHERE principal = $1 AND command = $2 AND idempotency_key = $3";
    /// Keeps a reply; one that is past its time makes way.
    KEEP = "INSERT INTO idempotency (principal, command, idempotency_key, request, reply, claims, at, is_new)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (principal, command, idempotency_key) DO UPDATE
            SET request = excluded.request, reply = excluded.reply, claims = excluded.claims, at = excluded.at,
                is_new = excluded.is_new";
    /// Forgets some of what is past its time.
    FORGET = "DELETE FROM idempotency WHERE (principal, command, idempotency_key) IN (
              SELECT principal, command, idempotency_key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2)";
}

/// The table behind it.
pub fn service() -> Service {
    Service::new("idempotency", MIGRATIONS, STATEMENTS)
}

/// A key as a client sent it, with what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    request: [u8; 32],
}

impl Key {
    /// Takes `idempotency_key` out of a request. The rest of the request is what the key stands for: a
    /// digest of it is kept, made with `secret`, since a password may be part of it.
    ///
    /// # Errors
    /// [`Code::Invalid`] unless it is a string of 1 to 128 bytes.
    pub fn take(payload: &mut Payload, secret: &[u8]) -> Result<Option<Key>, Fault> {
        let Some(value) = payload.shift_remove("idempotency_key") else { return Ok(None) };
        match value {
            serde_json::Value::String(text) if (1..=KEY_LEN_MAX).contains(&text.len()) => {
                let request = Sha256::new().chain_update(secret).chain_update(canonical(payload));
                Ok(Some(Key { text, request: request.finalize().into() }))
            }
            _ => Err(Fault::new(Code::Invalid, "idempotency_key: a string of 1 to 128 bytes")),
        }
    }
}

/// The request's text with sorted keys at the top, so that their order does not count.
fn canonical(payload: &Payload) -> String {
    let mut sorted = payload.clone();
    sorted.sort_keys();
    serde_json::Value::Object(sorted).to_string()
}

/// Runs `decide` once for this key, principal and command; a retry gets the first reply and causes nothing.
///
/// # Errors
/// [`Code::Conflict`] when the key stood for another request; and whatever `decide` refuses.
pub fn once(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    command: &str,
    key: &Key,
    decide: impl FnOnce(&mut Tx<'_>) -> Result<Outcome<Answer>, Fault>,
) -> Result<Outcome<Answer>, Fault> {
    let principal = ctx.principal.id.as_str();
    let place = [Value::Text(principal), Value::Text(command), Value::Text(&key.text)];
    let kept = tx.one(FIND, &place, |row| {
        (row.blob(0), row.text(1), row.optional_text(2), row.integer(3), row.optional_integer(4))
    })?;
    if let Some((request, reply, claims, at, is_new)) = kept
        && at > ctx.now - KEPT_MICROS
    {
        if request != key.request {
            return Err(Fault::new(
                Code::Conflict,
                "conflict: this idempotency_key stood for another request",
            ));
        }
        let mut answer = replayed(reply, claims.as_deref())?;
        answer.is_new = is_new.map(|is_new| is_new != 0);
        return Ok(Outcome::reply(answer));
    }
    let outcome = decide(tx)?;
    let claims = outcome.reply.sign.as_ref().map(|claims| serde_json::json!(claims).to_string());
    tx.execute(
        KEEP,
        &[
            place[0],
            place[1],
            place[2],
            Value::Blob(&key.request),
            Value::Text(outcome.reply.json.get()),
            claims.as_deref().map_or(Value::Null, Value::Text),
            Value::Integer(ctx.now),
            outcome.reply.is_new.map_or(Value::Null, |is_new| Value::Integer(is_new.into())),
        ],
    )?;
    Ok(outcome)
}

fn replayed(reply: String, claims: Option<&str>) -> Result<Answer, Fault> {
    let broken = |error: serde_json::Error| {
        Fault::new(Code::Internal, format!("a kept reply is damaged: {error}"))
    };
    Ok(Answer {
        json: RawValue::from_string(reply).map_err(broken)?,
        sign: claims.map(serde_json::from_str).transpose().map_err(broken)?,
        is_new: None,
    })
}

/// Forgets up to `rows_max` replies that are past their time; says how many.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(FORGET, &[Value::Integer(now - KEPT_MICROS), Value::Integer(rows_max)])
}
