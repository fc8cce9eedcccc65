//! Signing in and out, and what holders of a credential do with it.

use bellwire_store::tx::Value;

use super::{
    Nothing,
    contract::Login,
    contract::{ChangePassword, SESSIONS_MAX, Session, SignIn, Ticket, UseTicket, User, UserId},
    password,
    read::{self, no_token},
    sql,
    tokens::{self, NewToken},
    users,
};
use crate::kit::{
    Claims, Code, Ctx, Fault, Micros, Outcome, Principal, ReadTx, Signed, Tx, timestamp,
};

/// Who tries to sign in, and what their password is compared with.
pub struct Tried {
    user: Option<(UserId, i64)>,
    hash: String,
}

/// The user who signed in, and how often their rights had changed when the password was compared.
pub type Known = (UserId, i64);

/// Finds the user who signs in.
pub fn look(tx: &ReadTx<'_>, _: &Ctx<'_>, cmd: &SignIn) -> Result<Tried, Fault> {
    let found = match Login::parse(&cmd.username) {
        Some(login) => tx.one(sql::BY_LOGIN, &[Value::Text(login.as_str())], |row| {
            let id = UserId(row.integer(0));
            row.optional_text(1)
                .filter(|_| row.integer(2) == 0)
                .map(|hash| Tried { user: Some((id, row.integer(3))), hash })
        })?,
        None => None,
    };
    Ok(found.flatten().unwrap_or_else(|| Tried { user: None, hash: password::NOBODY.to_owned() }))
}

/// Compares the password; for nobody as long as for somebody.
pub fn compare(cmd: &SignIn, tried: Tried) -> Result<Known, Fault> {
    let is_right = password::is_right(&cmd.password, &tried.hash);
    tried.user.filter(|_| is_right).ok_or_else(wrong)
}

fn wrong() -> Fault {
    Fault::new(Code::Unauthenticated, "wrong username or password")
}

/// `auth.login`: makes a session, unless the user was changed meanwhile.
pub fn login(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    _: &SignIn,
    (user_id, generation): &Known,
) -> Result<Outcome<Signed<Session>>, Fault> {
    let place = [Value::Integer(user_id.0)];
    let now = tx.one(sql::PASSWORD, &place, |row| row.integer(1))?;
    if now != Some(*generation) {
        return Err(wrong());
    }
    let user = read::user(tx, *user_id)?.ok_or_else(wrong)?;
    begin(tx, ctx, &user)
}

fn begin(tx: &mut Tx<'_>, ctx: &Ctx<'_>, user: &User) -> Result<Outcome<Signed<Session>>, Fault> {
    let subject = user.user_id.0.to_string();
    let new = NewToken {
        role: user.role.role(),
        subject: Some(&subject),
        scopes: &[],
        ttl_s: ctx.settings.session_s,
        user: Some(user.user_id),
        follows: true,
        session: true,
    };
    let (token, claims) = tokens::insert(tx, ctx, &new)?;
    let reply = Session { expires_at: token.expires_at, user: Some(user.person()) };
    let outcome = Outcome::reply(Signed { reply, claims });
    end_oldest(tx, ctx, user.user_id, &token.id, outcome)
}

/// Ends the oldest sessions of a user who has more than [`SESSIONS_MAX`] with the one just begun.
fn end_oldest<R>(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    user_id: UserId,
    begun: &str,
    mut outcome: Outcome<R>,
) -> Result<Outcome<R>, Fault> {
    let place = [
        Value::Integer(user_id.0),
        Value::Integer(ctx.now),
        Value::Text(begun),
        Value::Integer(SESSIONS_MAX - 1),
    ];
    for id in tx.all(sql::SESSIONS_BEYOND, &place, |row| row.text(0))? {
        outcome.effects.extend(tokens::end(tx, ctx, &id, None)?.effects);
    }
    Ok(outcome)
}

/// `auth.refresh`: the session goes on, with a new text of its token. Texts of before end at their time,
/// and all of them with the session.
pub fn refresh(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    _: &Nothing,
) -> Result<Outcome<Signed<Session>>, Fault> {
    let (user_id, is_session) = own(tx, ctx.principal)?;
    if !is_session {
        let why = "only a session is renewed; other tokens end at the time that was set";
        return Err(Fault::new(Code::Forbidden, why));
    }
    let user = read::user(tx, user_id)?.ok_or_else(no_token)?;
    let token = ctx.principal.token.as_str();
    let jti = tx.one(sql::JTI, &[Value::Text(token)], |row| row.text(0))?.ok_or_else(no_token)?;
    let (iat, exp) = tokens::life(ctx, ctx.settings.session_s);
    tx.execute(sql::EXTEND, &[Value::Text(token), Value::Integer(exp * 1_000_000)])?;
    let (sub, role) = (user_id.0.to_string(), user.role.role().name().to_owned());
    let claims = Claims { jti, sub, role, iat, exp };
    let reply = Session { expires_at: timestamp(claims.expires_at()), user: Some(user.person()) };
    Ok(Outcome::reply(Signed { reply, claims }))
}

/// The user behind the caller's token, and whether it is a session's.
fn own(tx: &ReadTx<'_>, principal: &Principal) -> Result<(UserId, bool), Fault> {
    let session = tx.one(sql::SHOW, &[Value::Text(&principal.token)], |row| row.integer(4))?;
    let session = session.ok_or_else(no_token)?;
    let user_id = principal.user_id().map(UserId);
    let user_id =
        user_id.ok_or_else(|| Fault::new(Code::Forbidden, "this token speaks for no user"))?;
    Ok((user_id, session != 0))
}

/// `auth.logout`: ends the caller's token.
pub fn logout(tx: &mut Tx<'_>, ctx: &Ctx<'_>, _: &Nothing) -> Result<Outcome<()>, Fault> {
    match ctx.principal.token.as_str() {
        "" => Err(no_token()),
        token => tokens::end(tx, ctx, token, None),
    }
}

/// `auth.ticket`: a text that stands for the caller's token once, within 30 s, for those who cannot
/// send a header.
pub fn ticket(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    _: &Nothing,
) -> Result<Outcome<Signed<Ticket>>, Fault> {
    let jti = tx.one(sql::JTI, &[Value::Text(&ctx.principal.token)], |row| row.text(0))?;
    let iat = ctx.now.div_euclid(1_000_000);
    let claims = Claims {
        jti: ctx.ids.text(),
        sub: jti.ok_or_else(no_token)?,
        role: Claims::TICKET.to_owned(),
        iat,
        exp: iat + 1 + Ticket::TTL_S,
    };
    let reply = Ticket::until(claims.expires_at());
    Ok(Outcome::reply(Signed { reply, claims }))
}

/// `auth.use_ticket`: uses a ticket up.
///
/// # Errors
/// [`Code::Unauthenticated`] when it was used before, or is past its time.
pub fn use_ticket(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &UseTicket) -> Result<Outcome<()>, Fault> {
    let expires_at: Micros = cmd.exp.saturating_mul(1_000_000);
    let row = [Value::Text(&cmd.jti), Value::Integer(expires_at)];
    if expires_at <= ctx.now || tx.execute(sql::TICKET, &row)? == 0 {
        return Err(Fault::new(Code::Unauthenticated, "ticket invalid, expired or used"));
    }
    Ok(Outcome::reply(()))
}

/// Finds the password that is to be changed.
pub fn look_at_own(
    tx: &ReadTx<'_>,
    ctx: &Ctx<'_>,
    _: &ChangePassword,
) -> Result<(Tried, [u8; 16]), Fault> {
    let (user_id, _) = own(tx, ctx.principal)?;
    let found = tx.one(sql::PASSWORD, &[Value::Integer(user_id.0)], |row| {
        row.optional_text(0).map(|hash| Tried { user: Some((user_id, row.integer(1))), hash })
    })?;
    Ok((found.flatten().ok_or_else(wrong_password)?, ctx.ids.bytes()))
}

/// Compares the old password and hashes the new.
pub fn compare_own(
    cmd: &ChangePassword,
    (tried, salt): (Tried, [u8; 16]),
) -> Result<(Known, String), Fault> {
    let is_right = password::is_right(&cmd.password, &tried.hash);
    let known = tried.user.filter(|_| is_right).ok_or_else(wrong_password)?;
    Ok((known, password::hash(&cmd.new_password.0, &salt)?))
}

/// Not [`Code::Unauthenticated`]: the credential is good, and stays so.
fn wrong_password() -> Fault {
    Fault::new(Code::Forbidden, "wrong password")
}

/// `auth.password`: sets it, and ends every other session of the user.
pub fn change_password(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    _: &ChangePassword,
    ((user_id, generation), hash): &(Known, String),
) -> Result<Outcome<()>, Fault> {
    let now = tx.one(sql::PASSWORD, &[Value::Integer(user_id.0)], |row| row.integer(1))?;
    if now != Some(*generation) {
        return Err(Fault::new(Code::Conflict, "the user was changed meanwhile; try again"));
    }
    users::set_password(tx, ctx.now, *user_id, hash)?;
    users::end_sessions(tx, ctx, *user_id, &ctx.principal.token, Outcome::reply(()))
}
