//! What is not public, and who may see it: docs/protocol.md and the documents, as a table. A new service adds rows.

use super::who::{
    ADMINS, BEARERS, GUESTS, LIGHT_READERS, READERS, USERS,
    Who::{self, Anne, Attic, Bert, Boss, Claimer, Cora, Eve, Hall, Kim, Staff, Waiting},
};

/// A thing that holds a text or number which nobody can guess.
pub struct Row {
    /// What it is. The planting names it by these words.
    pub resource: &'static str,
    /// Who may see it, in groups.
    pub sees: &'static [&'static [Who]],
    /// Who may see it in a demo beside them.
    pub in_demo: &'static [Who],
    /// What may not be seen, where these very words are it: the name of an event, or what the server keeps for itself.
    pub words: Option<Words>,
}

/// Words that are known to all, and told to few.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// An event, as it is named in a frame or packet.
    Event,
    /// The words themselves.
    Themselves,
}

const fn row(resource: &'static str, sees: &'static [&'static [Who]]) -> Row {
    Row { resource, sees, in_demo: &[], words: None }
}

/// The same for words.
const fn words(words: &'static str, sees: &'static [&'static [Who]]) -> Row {
    Row { resource: words, sees, in_demo: &[], words: Some(Words::Themselves) }
}

/// The same for an event.
const fn event(name: &'static str, sees: &'static [&'static [Who]]) -> Row {
    Row { resource: name, sees, in_demo: &[], words: Some(Words::Event) }
}

/// The same for what guests of a demo may see.
const fn open(resource: &'static str, sees: &'static [&'static [Who]]) -> Row {
    Row { resource, sees, in_demo: GUESTS, words: None }
}

const MEMBERS: &[Who] = &[Anne, Bert, Cora, Kim];
const PAIR: &[Who] = &[Anne, Bert];

/// All of them. Secrets that nobody may see, as a password, have no groups.
pub const TABLE: &[Row] = &[
    // States.
    open("the name of an entity", &[READERS]),
    open("a state", &[READERS]),
    open("an attribute", &[READERS]),
    open("an older row of a history", &[READERS]),
    open("a row that was taken away", &[READERS]),
    open("the state of an entity that was removed", &[READERS]),
    open("a light", &[LIGHT_READERS]),
    open("a state in the hall's area", &[READERS, &[Hall]]),
    open("a state in the attic's area", &[READERS, &[Attic]]),
    open("a state in an area of the hall that is disabled", &[READERS]),
    // Areas.
    row("the name of the hall's area", &[ADMINS, &[Hall]]),
    row("an entity of the hall's area", &[ADMINS, &[Hall]]),
    row("the name of the attic's area", &[ADMINS, &[Attic]]),
    row("an entity of the attic's area", &[ADMINS, &[Attic]]),
    row("the name of an area that nobody has", &[ADMINS]),
    row("the name of a client", &[ADMINS]),
    row("the name of a screen that waits", &[ADMINS]),
    row("the code that a screen shows", &[ADMINS]),
    row("a device code", &[]),
    row("the token that a screen gets", &[&[Waiting]]),
    // Identity.
    row("a login", &[ADMINS]),
    row("an e-mail address", &[ADMINS, &[Anne, Staff]]),
    row("a user's name", &[ADMINS]),
    row("a picture", &[ADMINS, PAIR]),
    row("a password", &[]),
    row("a scope", &[ADMINS]),
    row("the subject of a token", &[ADMINS]),
    row("a token", &[]),
    row("a token in a reply that is kept", &[&[Boss]]),
    row("a session", &[&[Anne]]),
    row("a ticket", &[&[Anne]]),
    row("an id of a connection", &[&[Anne]]),
    // Sensors.
    open("the name of a device", &[BEARERS]),
    open("what a sensor measures", &[BEARERS]),
    open("a unit", &[BEARERS]),
    open("a reading", &[BEARERS]),
    open("a reading in a history", &[BEARERS]),
    // Chat.
    row("a message between two", &[PAIR]),
    row("a message to a group, before somebody left", &[MEMBERS, &[Eve]]),
    row("a message to a group, after somebody left", &[MEMBERS]),
    row("a message to a group, after somebody was kicked", &[PAIR, &[Cora]]),
    row("what a conversation is called for good", &[MEMBERS, &[Eve]]),
    event("typingMessageStart", &[MEMBERS]),
    event("kickUserFromGroupNotify", &[&[Kim]]),
    Row { resource: "a comment", sees: &[USERS], in_demo: &[Claimer], words: None },
    event("privateCommentNotify", &[&[Cora]]),
    row("the news of a rating", &[&[Cora]]),
    // Stations.
    row("the name of a user who books", &[ADMINS, &[Staff]]),
    event("booking_confirmed", &[&[Anne]]),
    words("Booking confirmed", &[&[Anne]]),
    // Notifications.
    row("the title of a notification", &[&[Boss, Anne]]),
    row("the words of a notification", &[&[Boss, Anne]]),
    // What is told to admins alone.
    event("client_changed", &[ADMINS]),
    event("pairing_changed", &[ADMINS]),
    event("pairing_completed", &[&[Waiting]]),
    row("what is claimed and not believed", &[]),
    // What the server keeps for itself.
    row("the data directory", &[]),
    words("$argon2", &[]),
    words("sqlite", &[]),
    words("bellwire.db", &[]),
    words("panicked", &[]),
    words("SELECT ", &[]),
    words("INSERT INTO", &[]),
];

impl Row {
    /// The text that stands for this row, where words do.
    pub fn text(&self) -> Option<String> {
        self.words.map(|words| match words {
            // Measures have names of events in quotes, too.
            Words::Event => format!("\"{}\",", self.resource),
            Words::Themselves => self.resource.to_owned(),
        })
    }
}

/// The row of a resource.
#[track_caller]
pub fn row_of(resource: &str) -> &'static Row {
    TABLE
        .iter()
        .find(|row| row.resource == resource)
        .unwrap_or_else(|| panic!("no row {resource:?}"))
}

/// Whether somebody may see it.
pub fn may_see(row: &Row, who: Who, is_demo: bool) -> bool {
    row.sees.concat().contains(&who) || (is_demo && row.in_demo.contains(&who))
}
