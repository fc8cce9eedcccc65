//! Who is calling, and what they may do.

use std::fmt::Display;

use bellwire_store::change::Micros;
use serde::{Deserialize, Serialize};

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The stable id that effects name: `user/1`, `client/client_7`, `device/3`; the token's own id if
    /// it speaks for nobody else; `guest/192.168.1.7`, `system` or `operator`.
    pub id: String,
    /// The token that was shown, e.g. `tok_7`; empty without one.
    pub token: String,
    /// Whether its scopes are those of the user it speaks for, at all times.
    pub follows: bool,
    /// What kind of caller.
    pub role: Role,
    /// Whom the token speaks for: the id of a user, a client or a device.
    pub subject: Option<String>,
    /// Rights beyond the role's own; see [`Scope`].
    pub scopes: Vec<Scope>,
    /// Counts the changes of this principal's rights: a decision compares it, so that nothing
    /// queued before a revocation runs after it.
    pub generation: i64,
    /// When the credential ends.
    pub expires_at: Option<Micros>,
    /// The token was issued by a pairing and has not been used yet: its first use ends the older ones.
    pub unused: bool,
}

impl Principal {
    /// The server itself: housekeeping, and the demo's recording.
    pub fn system() -> Self {
        Principal::fixed("system", Role::System)
    }

    /// A person who runs `bellwire` commands on the server's machine, with access to its data directory.
    pub fn operator() -> Self {
        Principal::fixed("operator", Role::System)
    }

    /// Someone of whom nothing is known yet.
    pub fn nobody() -> Self {
        Principal::fixed("", Role::Guest)
    }

    /// A screen that waits to be paired, under this number, until then.
    pub fn pairing(pairing_id: i64, expires_at: Micros) -> Self {
        let waiting = Principal::fixed(&format!("pairing/{pairing_id}"), Role::Pairing);
        Principal { expires_at: Some(expires_at), ..waiting }
    }

    /// A caller without a credential, where such are admitted.
    pub fn guest() -> Self {
        Principal::fixed("guest", Role::Guest)
    }

    /// The same from this address: what counts for one of them, such as keys of retries, counts for none from
    /// elsewhere.
    pub fn guest_from(address: impl Display) -> Self {
        Principal::fixed(&format!("guest/{address}"), Role::Guest)
    }

    fn fixed(id: &str, role: Role) -> Self {
        Principal {
            id: id.into(),
            token: String::new(),
            follows: false,
            role,
            subject: None,
            scopes: Vec::new(),
            generation: 0,
            expires_at: None,
            unused: false,
        }
    }

    /// Whose retries its requests are. All who have a user's own scopes are one caller; a token with rights
    /// of its own is one by itself, so that it is never told what it may not know.
    pub fn retries_as(&self) -> &str {
        if self.token.is_empty() || self.follows { &self.id } else { &self.token }
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Micros) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether an effect that names `name` concerns this caller.
    pub fn is_named(&self, name: &str) -> bool {
        name == self.id
            || (!self.token.is_empty() && name == self.token)
            || (self.follows && name.strip_suffix("/scopes") == Some(&self.id))
    }

    /// What effects may call this caller: who it is, the token by which it came, and, if it has the
    /// scopes of its user, [that](Principal::scopes_of).
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.id.clone()];
        if !self.token.is_empty() && self.token != self.id {
            names.push(self.token.clone());
        }
        if self.follows {
            names.push(Principal::scopes_of(&self.id));
        }
        names
    }

    /// The name of all callers that have the scopes of the user `id`; a token with scopes of its own is
    /// not among them.
    pub fn scopes_of(id: &str) -> String {
        format!("{id}/scopes")
    }

    /// The id of the paired screen whose own id, e.g. `client_7`, is this.
    pub fn client(client_id: &str) -> String {
        format!("client/{client_id}")
    }

    /// The id of the sensor board whose own id, e.g. `3`, is this.
    pub fn device(device_id: &str) -> String {
        format!("device/{device_id}")
    }

    /// The id of the user with this number.
    pub fn user(user_id: i64) -> String {
        format!("user/{user_id}")
    }

    /// The number of the user for whom this caller speaks, if it is one's.
    pub fn user_id(&self) -> Option<i64> {
        self.user_number()?.parse().ok()
    }

    /// The same in digits.
    pub fn user_number(&self) -> Option<&str> {
        self.id.strip_prefix("user/")
    }
}

/// What kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything.
    Admin,
    /// A person.
    User,
    /// A paired screen.
    Client,
    /// A sensor board.
    Device,
    /// No credential; guests are admitted by `--demo`, and by services that are open.
    #[serde(skip)]
    Guest,
    /// A screen that waits to be paired: it may ask nothing, and hears whether it is.
    #[serde(skip)]
    Pairing,
    /// The server itself or its operator; no token has it.
    #[serde(skip)]
    System,
}

impl Role {
    /// Its name in tokens and tables.
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::User => "user",
            Role::Client => "client",
            Role::Device => "device",
            Role::Guest => "guest",
            Role::Pairing => "pairing",
            Role::System => "system",
        }
    }

    /// The role of that name, of those that a token can have.
    pub fn from_name(name: &str) -> Option<Role> {
        [Role::Admin, Role::User, Role::Client, Role::Device]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// One right: `SERVICE:RIGHT` or `SERVICE:RIGHT:WHAT`, e.g. `states:read:light.*`. Each service
/// says which rights it knows; others are kept and mean nothing to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// The longest, in bytes: a right and an entity's id fit.
    pub const LEN_MAX: usize = 300;

    /// What this scope allows of `service`: the right, and to what it is limited (`None`: nothing).
    pub fn of_service(&self, service: &str) -> Option<(&str, Option<&str>)> {
        let rest = self.0.strip_prefix(service)?.strip_prefix(':')?;
        Some(rest.split_once(':').map_or((rest, None), |(right, what)| (right, Some(what))))
    }

    /// The scope as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let word = |part: Option<&str>| {
            part.is_some_and(|p| {
                !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            })
        };
        let known = word(parts.next())
            && word(parts.next())
            && parts
                .next()
                .is_none_or(|what| !what.is_empty() && !what.contains(char::is_whitespace));
        if known && text.len() <= Self::LEN_MAX {
            Ok(Scope(text))
        } else {
            Err(format!(
                "a scope is SERVICE:RIGHT or SERVICE:RIGHT:WHAT, e.g. states:read:light.*, not {text:?}"
            ))
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> String {
        scope.0
    }
}
