//! A retry with the same key takes effect once.
//!
//! The reply is stored in the transaction that made it true, per caller and command, and is
//! given again for 24 hours. A refused command is not stored: a retry of it is decided anew.

use bellwire_store::{statements, tx::Value};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{Answer, Code, Ctx, Fault, Micros, Outcome, Payload, ReadTx, Service, Tx};

/// How long a reply is kept at the least: until it is forgotten it counts, so that a clock that jumps takes none away.
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
    FIND = "SELECT request, reply, claims, is_new FROM idempotency
            WHERE principal = $1 AND command = $2 AND idempotency_key = $3";
    /// Keeps a reply.
    KEEP = "INSERT INTO idempotency (principal, command, idempotency_key, request, reply, claims, at, is_new)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
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

/// The answer that was given under this key, if one was. `caller` is whoever may be told it again.
///
/// # Errors
/// [`Code::Conflict`] when the key stood for another request.
pub fn kept(
    tx: &ReadTx<'_>,
    (caller, command): (&str, &str),
    key: &Key,
) -> Result<Option<Answer>, Fault> {
    let place = [Value::Text(caller), Value::Text(command), Value::Text(&key.text)];
    let kept = tx.one(FIND, &place, |row| {
        (row.blob(0), row.text(1), row.optional_text(2), row.optional_integer(3))
    })?;
    let Some((request, reply, claims, is_new)) = kept else { return Ok(None) };
    if request != key.request {
        return Err(Fault::new(
            Code::Conflict,
            "conflict: this idempotency_key stood for another request",
        ));
    }
    let mut answer = replayed(reply, claims.as_deref())?;
    answer.is_new = is_new.map(|is_new| is_new != 0);
    Ok(Some(answer))
}

/// Runs `decide` once for this key, caller and command; a retry gets the first reply and causes nothing.
///
/// # Errors
/// As [`kept`]; and whatever `decide` refuses.
pub fn once(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    (caller, command): (&str, &str),
    key: &Key,
    decide: impl FnOnce(&mut Tx<'_>) -> Result<Outcome<Answer>, Fault>,
) -> Result<Outcome<Answer>, Fault> {
    if let Some(answer) = kept(tx, (caller, command), key)? {
        return Ok(Outcome::reply(answer));
    }
    let outcome = decide(tx)?;
    if outcome.reply.refusal.is_some() {
        return Ok(outcome);
    }
    let claims = outcome.reply.sign.as_ref().map(|claims| serde_json::json!(claims).to_string());
    tx.execute(
        KEEP,
        &[
            Value::Text(caller),
            Value::Text(command),
            Value::Text(&key.text),
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
        sign: claims.map(serde_json::from_str).transpose().map_err(broken)?,
        is_repeated: true,
        ..Answer::of(RawValue::from_string(reply).map_err(broken)?)
    })
}

/// Forgets up to `rows_max` replies that are past their time; says how many.
///
/// # Errors
/// The store's.
pub fn forget(tx: &mut Tx<'_>, now: Micros, rows_max: i64) -> Result<u64, Fault> {
    tx.execute(FORGET, &[Value::Integer(now - KEPT_MICROS), Value::Integer(rows_max)])
}

#[cfg(test)]
mod tests {
    use bellwire_store::{
        migrate::Migrations,
        sqlite::{Options, Write, Writer},
    };
    use serde_json::json;

    use super::*;
    use crate::kit::{Ids, Principal, Reply as _, Settings};

    const COMMAND: &str = "states:create";

    fn key(text: &str, request: &serde_json::Value) -> Key {
        let mut payload: Payload = request.as_object().cloned().expect("an object");
        payload.insert("idempotency_key".into(), text.into());
        Key::take(&mut payload, b"secret").expect("it is one").expect("it is there")
    }

    fn run<T: Send + 'static>(
        writer: &mut Writer,
        mut run: impl FnMut(&mut Tx<'_>) -> Result<Outcome<T>, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let write = Write { at: 0, run: Box::new(move |tx: &mut Tx<'_>| run(tx)), to: () };
        let batch = writer.batch(vec![write]).expect("the disk is sound");
        let answer = batch.answers.into_iter().next().expect("one answer");
        answer.result.map(|committed| committed.into_parts().0)
    }

    /// What a request is answered, and whether it was decided anew.
    fn ask(
        writer: &mut Writer,
        caller: &'static str,
        now: Micros,
        key: Key,
    ) -> Result<String, Fault> {
        run(writer, move |tx| {
            let principal = Principal::operator();
            let settings = Settings::default();
            let ids = Ids::new([0; 32]);
            let ctx = Ctx {
                now,
                principal: &principal,
                ids,
                settings: &settings,
                origin: "",
                place: None,
            };
            let decide = |_: &mut Tx<'_>| Ok(Outcome::reply("anew".answer()?));
            let outcome = once(tx, &ctx, (caller, COMMAND), &key, decide)?;
            let Answer { json, sign, is_new, .. } = &outcome.reply;
            let claims = sign.as_ref().map_or(String::new(), |claims| format!(" {}", claims.jti));
            assert_eq!(*is_new, None);
            Ok(Outcome::reply(format!("{json}{claims}")))
        })
    }

    /// Replies as the first version kept them, and how they are given again.
    const KEPT: &[(&str, &str)] = &[
        (r#"{"data":{"state_id":1,"state":"on"}}"#, r#"{"state_id":1,"state":"on"}"#),
        (r#"{"data":{}}"#, "{}"),
        (r#"{"data":{"data":{"a":1}}}"#, r#"{"data":{"a":1}}"#),
        (r#"{"data":{"state":"\u00e9{}\"é}"}}"#, r#"{"state":"\u00e9{}\"é}"}"#),
        (r#"{"message":"State deleted"}"#, r#"{"message":"State deleted"}"#),
        (r#"{"id":"tok_1","data":{}}"#, r#"{"id":"tok_1","data":{}}"#),
        (r#"{"dat":1}"#, r#"{"dat":1}"#),
        ("null", "null"),
    ];

    #[test]
    fn replies_from_before_are_given_again_in_their_new_shape() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::new(directory.path().join("test.db"), "e", 0);
        let first = Migrations { service: "idempotency", steps: &MIGRATIONS[..1] };
        let mut writer = Writer::open(&options, &[first]).expect("it opens");
        let claims = r#"{"jti":"j7","sub":"tok_1","role":"user","iat":1,"exp":2}"#;
        let insert = bellwire_store::tx::Statement(
            "INSERT INTO idempotency (principal, command, idempotency_key, request, reply, claims, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        run(&mut writer, move |tx| {
            for (number, (kept, _)) in KEPT.iter().enumerate() {
                let (text, request) = (number.to_string(), json!({ "n": number }));
                let signs = kept.contains("tok_1");
                let row = [
                    Value::Text("tok_1"),
                    Value::Text(COMMAND),
                    Value::Text(&text),
                    Value::Blob(&key(&text, &request).request),
                    Value::Text(kept),
                    if signs { Value::Text(claims) } else { Value::Null },
                    Value::Integer(100),
                ];
                tx.execute(insert, &row)?;
            }
            Ok(Outcome::reply(()))
        })
        .expect("they are kept");
        drop(writer);
        let mut writer = Writer::open(&options, &[service().migrations]).expect("it is upgraded");
        for (number, (kept, shown)) in KEPT.iter().enumerate() {
            let key = |request| key(&number.to_string(), &request);
            let mut ask = |caller, now, key| ask(&mut writer, caller, now, key);
            let signed = if kept.contains("tok_1") { " j7" } else { "" };
            let same = json!({ "n": number });
            for _ in 0..2 {
                assert_eq!(ask("tok_1", 200, key(same.clone())), Ok(format!("{shown}{signed}")));
            }
            let other = ask("tok_1", 200, key(json!({ "n": "other" })));
            assert_eq!(other.expect_err("another request").code, Code::Conflict);
            assert_eq!(ask("tok_2", 200, key(same.clone())), Ok("\"anew\"".into()));
            // A clock that jumps takes nothing away.
            let late = 100 + 2 * KEPT_MICROS;
            assert_eq!(ask("tok_1", late, key(same)), Ok(format!("{shown}{signed}")));
        }
        for (now, rows) in [(100 + KEPT_MICROS, 0), (101 + KEPT_MICROS, KEPT.len() as u64)] {
            let forget = move |tx: &mut Tx<'_>| forget(tx, now, 100).map(Outcome::reply);
            assert_eq!(run(&mut writer, forget).ok(), Some(rows));
        }
        let again = key("0", &json!({ "n": 0 }));
        let anew = ask(&mut writer, "tok_1", 200, again);
        assert_eq!(anew, Ok("\"anew\"".into()), "its day is over");
    }
}
