//! Users that are there from the start: the demo's.

use super::{
    contract::{CreateUser, Kind, Login, UserId, UserRole},
    password, read, users,
};
use crate::kit::{Code, Fault, Micros, Tx};

/// A sample user, whose id is known to the documents' clients.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The id.
    pub user_id: i64,
    /// The name to sign in with.
    pub login: &'static str,
    /// The name that others see.
    pub username: &'static str,
    /// An admin or a person.
    pub role: UserRole,
    /// What the person is in the marketplace.
    pub kind: Option<Kind>,
}

/// The hash of a sample's password; however short that is.
///
/// # Errors
/// [`Code::Internal`], if it cannot be made.
pub fn hash_sample(password: &str, salt: &[u8; 16]) -> Result<String, Fault> {
    password::hash(password, salt)
}

/// Adds a sample user, unless somebody has the id or the login.
///
/// # Errors
/// The store's.
pub fn add_sample(tx: &mut Tx<'_>, now: Micros, sample: &Sample, hash: &str) -> Result<(), Fault> {
    let user_id = UserId(sample.user_id);
    let login = Login::parse(sample.login)
        .ok_or_else(|| Fault::new(Code::Internal, "a sample has a login of the right shape"))?;
    if read::user(tx, user_id)?.is_some() || users::is_taken(tx, &login)? {
        return Ok(());
    }
    let user = CreateUser {
        username: sample.username.to_owned(),
        login: None,
        password: None,
        role: sample.role,
        kind: sample.kind,
        email: Some(format!("{}@example.com", sample.login)),
        picture: None,
        scopes: Vec::new(),
    };
    users::insert(tx, now, user_id, &login, &user, Some(hash))
}
