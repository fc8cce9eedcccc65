//! Decisions about users.

use bellwire_store::tx::Value;

use super::{
    contract::{
        ChangeUser, CreateUser, Kind, Login, NAME_CHARS_MAX, OneUser, User, UserId, UserRole,
    },
    password, read, sql,
    tokens::{grant, reform, scopes_json},
};
use crate::{
    acknowledgements, chat,
    kit::{Code, Ctx, Effect, Fault, Micros, Outcome, Principal, ReadTx, Tx, is_label},
    notifications, readable_topics, stations,
};

/// What hashing a password needs, if there is one to hash.
type Salt = [u8; 16];

/// Looks whether a user can be made, before a password is hashed for it.
pub fn look_at_new(tx: &ReadTx<'_>, ctx: &Ctx<'_>, cmd: &CreateUser) -> Result<Salt, Fault> {
    check_names(Some(&cmd.username), cmd.email.as_deref())?;
    scopes_json(&cmd.scopes)?;
    free_login(tx, &login_of(cmd)?, None)?;
    Ok(ctx.ids.bytes())
}

/// Hashes the password of a new user.
pub fn hash_new(cmd: &CreateUser, salt: Salt) -> Result<Option<String>, Fault> {
    cmd.password.as_ref().map(|new| password::hash(&new.0, &salt)).transpose()
}

/// `users.create`: makes a user, whose rights begin here.
pub fn create(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CreateUser,
    hash: &Option<String>,
) -> Result<Outcome<User>, Fault> {
    let login = login_of(cmd)?;
    let user_id = free_id(tx)?;
    insert(tx, ctx.now, user_id, &login, cmd, hash.as_deref())?;
    let user = read::user(tx, user_id)?.ok_or_else(read::no_user)?;
    let principal = user.principal();
    let name = Principal::scopes_of(&principal.id);
    Ok(grant(Outcome::reply(user), &name, &readable_topics(tx, &principal)?))
}

/// The name that a new user signs in with.
fn login_of(cmd: &CreateUser) -> Result<Login, Fault> {
    let login = cmd.login.clone().or_else(|| Login::parse(&cmd.username));
    login.ok_or_else(|| {
        Fault::new(Code::Invalid, "login: needed, as nobody can sign in with this username")
    })
}

/// A number that no user has.
fn free_id(tx: &mut Tx<'_>) -> Result<UserId, Fault> {
    loop {
        let id = UserId(tx.next_id("users")?);
        if read::user(tx, id)?.is_none() {
            return Ok(id);
        }
    }
}

/// Adds the row of a user.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    now: Micros,
    user_id: UserId,
    login: &Login,
    cmd: &CreateUser,
    hash: Option<&str>,
) -> Result<(), Fault> {
    free_login(tx, login, None)?;
    let text = |text: Option<&'static str>| text.map_or(Value::Null, Value::Text);
    tx.execute(
        sql::INSERT_USER,
        &[
            Value::Integer(user_id.0),
            Value::Text(login.as_str()),
            Value::Text(&cmd.username),
            hash.map_or(Value::Null, Value::Text),
            Value::Text(cmd.role.role().name()),
            text(cmd.kind.map(Kind::name)),
            cmd.email.as_deref().map_or(Value::Null, Value::Text),
            Value::Text(&scopes_json(&cmd.scopes)?),
            Value::Integer(now),
            cmd.picture.as_ref().map_or(Value::Null, |picture| Value::Text(picture.as_str())),
        ],
    )?;
    Ok(())
}

/// Whether somebody signs in with this name.
pub(super) fn is_taken(tx: &Tx<'_>, login: &Login) -> Result<bool, Fault> {
    Ok(owner(tx, login)?.is_some())
}

fn owner(tx: &ReadTx<'_>, login: &Login) -> Result<Option<UserId>, Fault> {
    tx.one(sql::BY_LOGIN, &[Value::Text(login.as_str())], |row| UserId(row.integer(0)))
}

/// Refuses a login that somebody else has.
fn free_login(tx: &ReadTx<'_>, login: &Login, own: Option<UserId>) -> Result<(), Fault> {
    match owner(tx, login)? {
        Some(id) if Some(id) != own => {
            Err(Fault::new(Code::Conflict, "login: somebody signs in with this name already"))
        }
        _ => Ok(()),
    }
}

fn check_names(username: Option<&str>, email: Option<&str>) -> Result<(), Fault> {
    let fits = |text: &str| is_label(text, NAME_CHARS_MAX);
    if username.is_some_and(|name| !fits(name)) {
        return Err(Fault::new(Code::Invalid, wrong_username()));
    }
    if email.is_some_and(|email| !fits(email) || !email.contains('@')) {
        return Err(Fault::new(Code::Invalid, "email: an e-mail address"));
    }
    Ok(())
}

/// What is said of a name that is none.
pub(super) fn wrong_username() -> String {
    format!(
        "username: 1 to {NAME_CHARS_MAX} characters, none of them a control character or blank at an end"
    )
}

/// Looks whether the change makes sense, before a password is hashed for it.
pub fn look_at_change(tx: &ReadTx<'_>, ctx: &Ctx<'_>, cmd: &ChangeUser) -> Result<Salt, Fault> {
    check_names(cmd.username.as_deref(), cmd.email.as_ref().and_then(|email| email.as_deref()))?;
    if let Some(scopes) = &cmd.scopes {
        scopes_json(scopes)?;
    }
    read::user(tx, cmd.user_id)?.ok_or_else(read::no_user)?;
    Ok(ctx.ids.bytes())
}

/// Hashes the new password, if there is one.
pub fn hash_change(cmd: &ChangeUser, salt: Salt) -> Result<Option<String>, Fault> {
    cmd.password.as_ref().map(|new| password::hash(&new.0, &salt)).transpose()
}

/// `users.change`.
pub fn change(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &ChangeUser,
    hash: &Option<String>,
) -> Result<Outcome<User>, Fault> {
    let old = read::user(tx, cmd.user_id)?.ok_or_else(read::no_user)?;
    let mut new = old.clone();
    if let Some(login) = &cmd.login {
        free_login(tx, login, Some(cmd.user_id))?;
        new.login = login.as_str().to_owned();
    }
    new.username = cmd.username.clone().unwrap_or(new.username);
    new.role = cmd.role.unwrap_or(new.role);
    new.kind = cmd.kind.unwrap_or(new.kind);
    new.email = cmd.email.clone().unwrap_or(new.email);
    if let Some(picture) = &cmd.picture {
        new.picture = picture.as_ref().map(|picture| picture.as_str().to_owned());
    }
    new.scopes = cmd.scopes.clone().unwrap_or(new.scopes);
    new.disabled = cmd.disabled.unwrap_or(new.disabled);
    if new.role != UserRole::Admin || new.disabled {
        keep_an_admin(tx, &old)?;
    }
    // Scopes of their own stay as they are; a role is never more than the user's.
    let tokens = match new.role != old.role && !old.disabled && !new.disabled {
        true => tokens_of(tx, ctx, cmd.user_id)?,
        false => Vec::new(),
    };
    update(tx, ctx.now, &new, new.role != old.role || new.scopes != old.scopes)?;
    if let Some(hash) = hash {
        set_password(tx, ctx.now, cmd.user_id, hash)?;
    }
    let user = read::user(tx, cmd.user_id)?.ok_or_else(read::no_user)?;
    let outcome = Outcome::reply(user);
    if new.disabled {
        return end_all(tx, ctx, cmd.user_id, outcome);
    }
    let outcome = rights_changed(tx, ctx, outcome, (&old, &new), &tokens)?;
    if hash.is_some() { end_sessions(tx, ctx, cmd.user_id, "", outcome) } else { Ok(outcome) }
}

fn update(tx: &mut Tx<'_>, now: Micros, user: &User, rights: bool) -> Result<(), Fault> {
    tx.execute(
        sql::UPDATE_USER,
        &[
            Value::Integer(user.user_id.0),
            Value::Text(&user.login),
            Value::Text(&user.username),
            Value::Text(user.role.role().name()),
            user.kind.map_or(Value::Null, |kind| Value::Text(kind.name())),
            user.email.as_deref().map_or(Value::Null, Value::Text),
            Value::Text(&scopes_json(&user.scopes)?),
            Value::Integer(user.disabled.into()),
            Value::Integer(now),
            Value::Integer(rights.into()),
            user.picture.as_deref().map_or(Value::Null, Value::Text),
        ],
    )?;
    Ok(())
}

/// Sets the hash of a user's password.
pub(super) fn set_password(
    tx: &mut Tx<'_>,
    now: Micros,
    user_id: UserId,
    hash: &str,
) -> Result<(), Fault> {
    let row = [Value::Integer(user_id.0), Value::Text(hash), Value::Integer(now)];
    tx.execute(sql::SET_PASSWORD, &row).map(drop)
}

/// The holders of a user's live tokens that have scopes of their own.
fn tokens_of(tx: &Tx<'_>, ctx: &Ctx<'_>, user_id: UserId) -> Result<Vec<Principal>, Fault> {
    let place = [Value::Integer(user_id.0), Value::Integer(ctx.now)];
    let mut holders = Vec::new();
    for id in tx.all(sql::OWN_RIGHTS, &place, |row| row.text(0))? {
        holders.extend(read::by_id(tx, &id, ctx.now)?);
    }
    Ok(holders)
}

/// What a change of a user's rights means for live sessions: for those with the user's own scopes, and
/// for tokens whose role is at most the user's.
fn rights_changed(
    tx: &Tx<'_>,
    ctx: &Ctx<'_>,
    outcome: Outcome<User>,
    (old, new): (&User, &User),
    tokens: &[Principal],
) -> Result<Outcome<User>, Fault> {
    let name = Principal::scopes_of(&Principal::user(old.user_id.0));
    if old.disabled {
        // Nobody holds a token of theirs. Their rights begin anew: who was shut out is told nothing of
        // that time later.
        return Ok(grant(outcome, &name, &readable_topics(tx, &new.principal())?));
    }
    let mut outcome = reform(tx, outcome, &name, &old.principal(), &new.principal())?;
    for before in tokens {
        if let Some(after) = read::by_id(tx, &before.token, ctx.now)? {
            outcome = reform(tx, outcome, &before.token, before, &after)?;
        }
    }
    Ok(outcome)
}

/// Ends the sessions of a user, but for the one with the token `except`.
pub(super) fn end_sessions<R>(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    user_id: UserId,
    except: &str,
    outcome: Outcome<R>,
) -> Result<Outcome<R>, Fault> {
    let place = [Value::Integer(user_id.0), Value::Integer(ctx.now)];
    let ids = tx.all(sql::SESSIONS, &place, |row| row.text(0))?;
    let all = [place[0], place[1], Value::Integer(1), Value::Text(except)];
    tx.execute(sql::REVOKE_ALL, &all)?;
    let ended = ids.into_iter().filter(|id| id != except);
    Ok(ended.map(|id| Effect::Revoke { principal: id, last: None }).fold(outcome, Outcome::effect))
}

/// Ends all tokens of a user.
fn end_all<R>(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    user_id: UserId,
    outcome: Outcome<R>,
) -> Result<Outcome<R>, Fault> {
    let all =
        [Value::Integer(user_id.0), Value::Integer(ctx.now), Value::Integer(0), Value::Text("")];
    tx.execute(sql::REVOKE_ALL, &all)?;
    Ok(outcome.effect(Effect::Revoke { principal: Principal::user(user_id.0), last: None }))
}

/// `users.delete`: takes a user away.
pub fn delete(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &OneUser) -> Result<Outcome<()>, Fault> {
    let user = read::user(tx, cmd.user_id)?.ok_or_else(read::no_user)?;
    keep_an_admin(tx, &user)?;
    tx.execute(sql::DELETE_USER, &[Value::Integer(cmd.user_id.0)])?;
    acknowledgements::forget(tx, &Principal::user(cmd.user_id.0))?;
    notifications::forget_user(tx, cmd.user_id)?;
    chat::forget_user(tx, ctx.now, &user)?;
    let events = stations::forget_user(tx, ctx, cmd.user_id)?;
    let outcome = events.into_iter().fold(Outcome::reply(()), Outcome::event);
    end_all(tx, ctx, cmd.user_id, outcome)
}

/// Refuses to take the last admin who can sign in.
fn keep_an_admin(tx: &Tx<'_>, user: &User) -> Result<(), Fault> {
    if user.role != UserRole::Admin || user.disabled {
        return Ok(());
    }
    match tx.one(sql::OTHER_ADMIN, &[Value::Integer(user.user_id.0)], |_| ())? {
        Some(()) => Ok(()),
        None => Err(Fault::new(
            Code::Conflict,
            "this is the last admin who can sign in; make another admin first",
        )),
    }
}
