//! Everybody who comes to the server: those to whom things belong, and those to whom they do not. Most are both.

use std::cell::Cell;

use serde_json::{Value, json};

use super::ear::Heard;

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// An admin's token that speaks for no user.
    Boss,
    /// A user who is an admin, signed in.
    Chief,
    /// A user who owns most of what there is, signed in.
    Anne,
    /// A user who talks with Anne.
    Bert,
    /// A houseworker in the group of these two.
    Cora,
    /// A user who left the group.
    Eve,
    /// A user who is kicked out of the group while all listen.
    Kim,
    /// A user who has nothing to do with anybody, and may read and write lights.
    Dave,
    /// A token that may read and write lights, and speaks for nobody.
    Lisa,
    /// A board's token with the scope of stations' staff.
    Staff,
    /// A board with the token of a device.
    Board,
    /// A paired screen in the hall.
    Hall,
    /// A paired screen in the attic.
    Attic,
    /// A screen that waits to be paired.
    Waiting,
    /// Somebody without any credential; in the demo a guest.
    Nobody,
    /// The same, who says in chat that they are Dave, and then Anne.
    Claimer,
    /// A page of elsewhere, in Anne's browser: with her cookie.
    Page,
    /// Somebody with a token that was revoked.
    Revoked,
    /// Somebody with a token that has expired.
    Expired,
    /// Somebody who makes tokens.
    Forger,
    /// Somebody who shows what is good where it does not count.
    Misplacer,
}

use Who::{
    Anne, Attic, Bert, Board, Boss, Chief, Claimer, Cora, Dave, Eve, Expired, Forger, Hall, Kim,
    Lisa, Misplacer, Nobody, Page, Revoked, Staff, Waiting,
};

/// All of them.
pub const ALL: [Who; 21] = [
    Boss, Chief, Anne, Bert, Cora, Eve, Kim, Dave, Lisa, Staff, Board, Hall, Attic, Waiting,
    Nobody, Claimer, Page, Revoked, Expired, Forger, Misplacer,
];
/// Those who may do everything.
pub const ADMINS: &[Who] = &[Boss, Chief];
/// Those who may read every state.
pub const READERS: &[Who] = &[Boss, Chief, Anne, Bert, Cora];
/// Those who may read lights.
pub const LIGHT_READERS: &[Who] = &[Boss, Chief, Anne, Bert, Cora, Eve, Kim, Dave, Lisa];
/// Those with a good token.
pub const BEARERS: &[Who] =
    &[Boss, Chief, Anne, Bert, Cora, Eve, Kim, Dave, Lisa, Staff, Board, Hall, Attic];
/// Those who are users.
pub const USERS: &[Who] = &[Chief, Anne, Bert, Cora, Eve, Kim, Dave];
/// Those without a credential whom a demo lets in.
pub const GUESTS: &[Who] = &[Nobody, Claimer, Misplacer];

impl Who {
    /// Whether they are an adversary, who tries to change things, too: what the others try would be done.
    pub fn is_adversary(self) -> bool {
        ![Boss, Chief, Anne, Bert, Cora, Kim, Staff].contains(&self)
    }

    /// Whether what they show is no good, so that they are refused even where guests are let in.
    pub fn is_bad(self) -> bool {
        matches!(self, Revoked | Expired | Forger)
    }
}

/// What somebody shows on a connection.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Behind the `?`, each parameter with an `&` at its end.
    pub query: String,
    /// Lines of the head.
    pub headers: Vec<String>,
    /// What is said with CONNECT.
    pub auth: Value,
}

impl Credential {
    /// Nothing.
    pub fn none() -> Credential {
        Credential { query: String::new(), headers: Vec::new(), auth: json!({}) }
    }

    /// This token, in the header and with CONNECT.
    pub fn bearer(token: &str) -> Credential {
        Credential {
            headers: vec![format!("Authorization: Bearer {token}")],
            auth: json!({ "token": token }),
            ..Credential::none()
        }
    }

    /// These lines of the head.
    pub fn lines(lines: &[&str]) -> Credential {
        Credential {
            headers: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..Credential::none()
        }
    }

    /// This parameter.
    pub fn query(parameter: &str) -> Credential {
        Credential { query: format!("{parameter}&"), ..Credential::none() }
    }

    /// This with CONNECT.
    pub fn auth(self, auth: Value) -> Credential {
        Credential { auth, ..self }
    }
}

/// Somebody, with all that they show, and all that they were told.
pub struct Person {
    /// Who it is.
    pub who: Who,
    /// Every byte that came to them.
    pub heard: Heard,
    shown: Vec<Credential>,
    turn: Cell<usize>,
}

impl Person {
    /// One who shows these in turn.
    pub fn new(who: Who, shown: Vec<Credential>) -> Person {
        Person { who, heard: Heard::default(), shown, turn: Cell::new(0) }
    }

    /// What they show this time.
    pub fn credential(&self) -> &Credential {
        let turn = self.turn.replace(self.turn.get() + 1);
        &self.shown[turn % self.shown.len()]
    }

    /// The ends of their tokens, by which a log would show them.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let tokens = self.shown.iter().filter_map(|shown| shown.auth["token"].as_str());
        // What a forger makes is no secret.
        tokens.filter(|token| self.who != Forger && token.len() > 60)
    }
}
