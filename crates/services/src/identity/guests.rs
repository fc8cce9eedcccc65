//! Guests who say who they are: the demo's, who need no credential for it.

use super::{
    contract::{CreateUser, Login, NAME_CHARS_MAX, User, UserId, UserRole},
    read, sql, users,
};
use crate::kit::{Code, Fault, Micros, Principal, Role, Tx, is_label};

/// Once there are this many users, no more are made for guests.
pub const USERS_MAX: i64 = 10_000;

/// The guest who speaks for this user: it has the user's id, and a guest's rights. It ends when the user is deleted,
/// shut out, or becomes an admin; it must not be made for an admin.
pub fn guest_as(user: &User) -> Principal {
    Principal {
        id: Principal::user(user.user_id.0),
        role: Role::Guest,
        subject: Some(user.user_id.0.to_string()),
        ..Principal::guest()
    }
}

/// Makes a user with this id and name, without a password.
///
/// # Errors
/// [`Code::Invalid`] for what is no name; [`Code::Conflict`] when somebody has the id, or there are [`USERS_MAX`]
/// users; the store's.
pub fn make_on_the_spot(
    tx: &mut Tx<'_>,
    now: Micros,
    user_id: UserId,
    username: &str,
) -> Result<User, Fault> {
    if !is_label(username, NAME_CHARS_MAX) {
        return Err(Fault::new(Code::Invalid, users::wrong_username()));
    }
    if read::user(tx, user_id)?.is_some() {
        return Err(Fault::new(Code::Conflict, "somebody has this id already"));
    }
    let count = tx.one(sql::COUNT_USERS, &[], |row| row.integer(0))?.unwrap_or(0);
    if count >= USERS_MAX {
        return Err(Fault::new(Code::Conflict, "there are too many users to make another"));
    }
    let user = CreateUser {
        username: username.to_owned(),
        login: None,
        password: None,
        role: UserRole::User,
        kind: None,
        email: None,
        picture: None,
        scopes: Vec::new(),
    };
    users::insert(tx, now, user_id, &free_login(tx, user_id)?, &user, None)?;
    read::user(tx, user_id)?.ok_or_else(read::no_user)
}

/// `user-7`, or `user-7-2` and so on if somebody signs in so.
fn free_login(tx: &Tx<'_>, user_id: UserId) -> Result<Login, Fault> {
    let first = format!("user-{}", user_id.0);
    let others = (2..=USERS_MAX + 1).map(|number| format!("{first}-{number}"));
    for name in std::iter::once(first.clone()).chain(others) {
        let login = Login::parse(&name).expect("letters, digits and hyphens, and few");
        if !users::is_taken(tx, &login)? {
            return Ok(login);
        }
    }
    Err(Fault::new(Code::Conflict, "there is no free name to sign in with"))
}
