//! Tokens of paired clients, and of sensor boards.

use bellwire_store::tx::Value;

use super::{
    contract::TTL_S,
    sql,
    tokens::{self, NewToken},
};
use crate::kit::{Claims, Ctx, Fault, Micros, Outcome, ReadTx, Role, Tx};

/// Makes a token for a client, and gives its id and what to sign. It lives as long as a token can: nobody sits
/// at a screen to sign in again.
///
/// # Errors
/// The store's.
pub fn issue_to_client(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    client_id: &str,
) -> Result<(String, Claims), Fault> {
    let new = NewToken {
        role: Role::Client,
        subject: Some(client_id),
        scopes: &[],
        ttl_s: *TTL_S.end(),
        user: None,
        follows: false,
        session: false,
    };
    let (token, claims) = tokens::insert(tx, ctx, &new)?;
    tx.execute(sql::UNUSED, &[Value::Text(&token.id)])?;
    Ok((token.id, claims))
}

/// What signs such a token again, until it is first used.
///
/// # Errors
/// The store's.
pub fn unused_claims(tx: &ReadTx<'_>, token: &str, now: Micros) -> Result<Option<Claims>, Fault> {
    tx.one(sql::UNUSED_JTI, &[Value::Text(token), Value::Integer(now)], |row| Claims {
        jti: row.text(0),
        sub: row.text(1),
        role: Role::Client.name().to_owned(),
        iat: row.integer(2).div_euclid(1_000_000),
        exp: row.integer(3).div_euclid(1_000_000),
    })
}

/// Notes the first use of such a token, and gives the id of its client; `None` if it was used before.
///
/// # Errors
/// The store's.
pub fn first_use(tx: &mut Tx<'_>, token: &str) -> Result<Option<String>, Fault> {
    tx.one(sql::USED, &[Value::Text(token)], |row| row.text(0))
}

/// Ends all tokens of a client or a device. Its sessions are for the caller to end.
///
/// # Errors
/// The store's.
pub fn end_tokens_of(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    role: Role,
    subject: &str,
) -> Result<(), Fault> {
    let place = [Value::Text(subject), Value::Integer(ctx.now), Value::Text(role.name())];
    tx.execute(sql::REVOKE_OF, &place).map(drop)
}

/// Ends the other tokens of a client that are not newer than this one, with their sessions.
///
/// # Errors
/// The store's.
pub fn end_older_tokens(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    client_id: &str,
    token: &str,
) -> Result<Outcome<()>, Fault> {
    let place = [Value::Text(client_id), Value::Integer(ctx.now), Value::Text(token)];
    let mut outcome = Outcome::reply(());
    for id in tx.all(sql::OLDER_OF_CLIENT, &place, |row| row.text(0))? {
        outcome.effects.extend(tokens::end(tx, ctx, &id, None)?.effects);
    }
    Ok(outcome)
}
