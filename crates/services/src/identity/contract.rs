//! Requests and replies about tokens, users and sessions. In JSON the keys are spelled as browsers'
//! programs like them: `expiresAt`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::kit::{Micros, Paging, Role, Scope, number, present, timestamp};

/// The shortest and longest life of a token, in seconds: a second, and ten years.
pub const TTL_S: std::ops::RangeInclusive<i64> = 1..=10 * 366 * 86_400;
/// The longest subject, in bytes.
pub const SUBJECT_LEN_MAX: usize = 128;
/// The most scopes of a token or a user: as many as a connection may pick entities.
pub const SCOPES_MAX: usize = 1_000;
/// The most sessions of a user that are live at once; one more ends the oldest. Without a bound a user
/// could have so many that nobody could change or end them within the time that a command may take.
pub const SESSIONS_MAX: i64 = 1_000;
/// The longest display name, e-mail address, in characters.
pub const NAME_CHARS_MAX: usize = 128;

/// The name that a person signs in with: 1 to 64 of `a-z 0-9 . _ @ + -`; capitals count as small ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Login(String);

impl Login {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 64;

    /// The name, if it has the shape of one.
    pub fn parse(text: &str) -> Option<Login> {
        let text = text.to_ascii_lowercase();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._@+-".contains(&b);
        ((1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(fits)).then_some(Login(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Login {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Login::parse(&text).ok_or_else(|| {
            D::Error::custom("1 to 64 letters, digits and . _ @ + - without accents")
        })
    }
}

/// A password that somebody sets: at least 8 characters and at most 256 bytes. It is never written anywhere, its Debug
/// form included.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct NewPassword(pub(super) String);

impl NewPassword {
    /// The shortest, in characters (NIST SP 800-63B, revision 3, section 5.1.1.2).
    pub const CHARS_MIN: usize = 8;
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 256;
}

impl TryFrom<String> for NewPassword {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() >= Self::CHARS_MIN && text.len() <= Self::LEN_MAX {
            Ok(NewPassword(text))
        } else {
            Err("a password has at least 8 characters and at most 256 bytes")
        }
    }
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a password")
    }
}

/// The number of a user, in JSON a text of digits: `"17"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(inline, transparent)]
pub struct UserId(#[schemars(with = "String", regex(pattern = "^[1-9][0-9]*$"))] pub i64);

impl UserId {
    /// The largest: JavaScript counts exactly so far.
    pub const MAX: i64 = 1 << 53;

    /// The id that is written so: digits without a leading zero.
    pub fn parse(text: &str) -> Option<UserId> {
        number(text).filter(|id| *id <= Self::MAX).map(UserId)
    }
}

impl Serialize for UserId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        UserId::parse(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("a user's id"))
    }
}

/// Where a user's picture is: an https URL of at most [`Picture::LEN_MAX`] bytes, without blanks and control
/// characters. The server never fetches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Picture(String);

impl Picture {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 2_000;

    /// The URL, if it is one.
    pub fn parse(text: &str) -> Option<Picture> {
        let rest = text.strip_prefix("https://")?;
        let has_host = !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':', '@']);
        let fits = |c: char| !c.is_whitespace() && !c.is_control();
        let is_one = has_host && text.len() <= Self::LEN_MAX && text.chars().all(fits);
        is_one.then(|| Picture(text.to_owned()))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Picture {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Picture::parse(&String::deserialize(from)?).ok_or_else(|| {
            D::Error::custom(format!("an https URL of at most {} bytes", Picture::LEN_MAX))
        })
    }
}

/// What a person is in the marketplace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Looks for help.
    Client,
    /// Offers it.
    Houseworker,
}

impl Kind {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Client => "client",
            Kind::Houseworker => "houseworker",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Client, Kind::Houseworker].into_iter().find(|kind| kind.name() == name)
    }
}

/// What a user may be: an admin or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserRole {
    /// May do everything.
    Admin,
    /// A person.
    #[default]
    User,
}

impl UserRole {
    /// The role of that name.
    pub fn from_name(name: &str) -> Option<UserRole> {
        [UserRole::Admin, UserRole::User].into_iter().find(|role| role.role().name() == name)
    }

    /// The same among all roles.
    pub fn role(self) -> Role {
        match self {
            UserRole::Admin => Role::Admin,
            UserRole::User => Role::User,
        }
    }
}

/// Makes a token. The reply is a [`Token`] with `token`, the signed text, which is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateToken {
    /// What kind of caller holds it.
    pub role: Role,
    /// Whom it speaks for, to 128 bytes: a user's, client's or device's id. A user must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Rights beyond the role's own; none for a user: those that the user has at any time.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// How long it is valid, in seconds; 30 days if absent.
    #[serde(rename = "ttl", default = "ttl_default")]
    pub ttl_s: i64,
}

fn ttl_default() -> i64 {
    30 * 86_400
}

/// Sets the scopes of a token, at once for live connections too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeToken {
    /// Which token.
    pub id: String,
    /// All its scopes from now on.
    pub scopes: Vec<Scope>,
}

/// One token: to look at it, or to end it and every connection that uses it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenId {
    /// Which token.
    pub id: String,
}

/// Asks for tokens, the newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListTokens {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

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
    /// Whether it was made by signing in.
    pub session: bool,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Whether it was ended before its time.
    pub revoked: bool,
}

/// Makes a user.
#[derive(Debug, Clone, Deserialize)]
pub struct CreateUser {
    /// The name that others see, to 128 characters.
    pub username: String,
    /// The name to sign in with; absent: the username.
    #[serde(default, deserialize_with = "present")]
    pub login: Option<Login>,
    /// The password to sign in with; absent: the user cannot sign in, only hold tokens.
    #[serde(default)]
    pub password: Option<NewPassword>,
    /// An admin or a person.
    #[serde(default)]
    pub role: UserRole,
    /// What the person is in the marketplace.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Where a picture of them is.
    #[serde(default)]
    pub picture: Option<Picture>,
    /// Rights; see [`Scope`].
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

/// Changes a user: what is absent stays. Rights count at once, for live connections too.
#[derive(Debug, Clone, Deserialize)]
pub struct ChangeUser {
    /// Which user.
    #[serde(rename = "userId")]
    pub user_id: UserId,
    /// The name that others see.
    #[serde(default, deserialize_with = "present")]
    pub username: Option<String>,
    /// The name to sign in with.
    #[serde(default, deserialize_with = "present")]
    pub login: Option<Login>,
    /// A new password; every session of the user ends.
    #[serde(default, deserialize_with = "present")]
    pub password: Option<NewPassword>,
    /// An admin or a person.
    #[serde(default, deserialize_with = "present")]
    pub role: Option<UserRole>,
    /// What the person is in the marketplace; `null`: nothing.
    #[serde(default, deserialize_with = "present")]
    pub kind: Option<Option<Kind>>,
    /// The e-mail address; `null`: none.
    #[serde(default, deserialize_with = "present")]
    pub email: Option<Option<String>>,
    /// Where a picture of them is; `null`: there is none.
    #[serde(default, deserialize_with = "present")]
    pub picture: Option<Option<Picture>>,
    /// All scopes from now on.
    #[serde(default, deserialize_with = "present")]
    pub scopes: Option<Vec<Scope>>,
    /// Whether the user is shut out: every session and token of theirs ends.
    #[serde(default, deserialize_with = "present")]
    pub disabled: Option<bool>,
}

/// One user: to look at, or to take away with every session and token of theirs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OneUser {
    /// Which user.
    #[serde(rename = "userId")]
    pub user_id: UserId,
}

/// Asks for the user with this login, or else with this id.
#[derive(Debug, Clone, Deserialize)]
pub struct FindUser {
    /// The login or the id.
    pub user: String,
}

/// Asks for users, by id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ListUsers {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// A user as admins see them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub user_id: UserId,
    /// The name that others see.
    pub username: String,
    /// The name to sign in with.
    pub login: String,
    /// An admin or a person.
    pub role: UserRole,
    /// What the person is in the marketplace.
    pub kind: Option<Kind>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Where a picture of them is, an https URL.
    pub picture: Option<String>,
    /// Their scopes.
    pub scopes: Vec<Scope>,
    /// Whether they are shut out.
    pub disabled: bool,
    /// When they were made, RFC 3339.
    pub created_at: String,
    /// When they were changed last, RFC 3339.
    pub updated_at: String,
}

/// Signs in. The reply is a [`Session`] with `token`.
#[derive(Clone, Deserialize)]
pub struct SignIn {
    /// The name to sign in with.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Changes one's own password; every other session of the user ends.
#[derive(Clone, Deserialize)]
pub struct ChangePassword {
    /// The one until now.
    pub password: String,
    /// The one from now on.
    #[serde(rename = "newPassword")]
    pub new_password: NewPassword,
}

/// A request without fields.
#[derive(Debug, Clone, Deserialize)]
pub struct Nothing {}

/// What signing in and renewing give, beside `token`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// When the token ends, RFC 3339.
    pub expires_at: String,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Person>,
}

/// A user as they see themselves.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their id.
    pub user_id: UserId,
    /// The name that others see.
    pub username: String,
    /// An admin or a person.
    pub role: UserRole,
    /// What the person is in the marketplace.
    pub kind: Option<Kind>,
    /// The e-mail address.
    pub email: Option<String>,
}

/// Who a credential stands for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Always true: a credential that is not valid is refused.
    pub valid: bool,
    /// What kind of caller.
    pub role: &'static str,
    /// Of a user: their id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Of a paired screen: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Of a sensor board: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// When the credential ends, RFC 3339.
    pub expires_at: Option<String>,
}

/// What asking for a ticket gives, beside `ticket`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// When it ends, RFC 3339.
    pub expires_at: String,
}

impl Ticket {
    /// How long a ticket may be used, in seconds.
    pub const TTL_S: i64 = 30;

    /// The ticket that ends then.
    pub(super) fn until(at: Micros) -> Ticket {
        Ticket { expires_at: timestamp(at) }
    }
}

/// Uses a ticket up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UseTicket {
    /// The ticket's own id.
    pub jti: String,
    /// When it ends, in seconds since the epoch.
    pub exp: i64,
}
