//! Requests and replies. In JSON the keys are spelled as the document's clients know them: `roomID`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _, de::IgnoredAny};
use serde_json::Value;

use crate::{
    identity::UserId,
    kit::{Code, Fault, Paging, present},
    notifications::Date,
};

/// The longest text of a message, in bytes.
pub const TEXT_LEN_MAX: usize = 4 << 10;
/// The longest id that a client gives a message, in characters.
pub const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 64;
/// The most members of a group.
pub const MEMBERS_MAX: usize = 1_000;
/// How many messages a user may send in a second, and twice that at once. What is told to each member of a room by
/// itself counts for more, see [`NOTICE_WEIGHT`].
pub const MESSAGES_PER_SECOND: u32 = 2_000;
/// How many messages what is told to a member by itself counts for: it is a row more, of some length.
pub const NOTICE_WEIGHT: usize = 4;

/// What a client says about who it is. It is believed of nobody: see [`claimed`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Claim(String);

impl Claim {
    /// As it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lets through who claims to be who they are, or claims nothing.
///
/// # Errors
/// [`Code::Forbidden`], naming the field.
pub(super) fn claimed(claim: Option<&Claim>, own: UserId, field: &str) -> Result<(), Fault> {
    match claim {
        Some(Claim(text)) if *text != own.0.to_string() => {
            Err(Fault::new(Code::Forbidden, format!("{field}: you are user {}", own.0)))
        }
        _ => Ok(()),
    }
}

/// The text of a message: 1 byte to [`TEXT_LEN_MAX`], with something to see in it, and no control characters but line
/// feeds and tabs. It is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, if it may be one.
    pub fn parse(text: String) -> Option<Text> {
        let shows = text.chars().any(|c| !c.is_whitespace() && !is_invisible(c));
        let fits = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        (shows && text.len() <= TEXT_LEN_MAX && text.chars().all(fits)).then_some(Text(text))
    }
}

/// Characters of no width: joiners, marks of direction, fillers.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Text::parse(String::deserialize(from)?).ok_or_else(|| {
            let why = "bytes with something to see in it, and no control characters";
            D::Error::custom(format!("a text to {TEXT_LEN_MAX} {why}"))
        })
    }
}

/// The id that a client gives a message, by which it may be sent again: 1 to [`CLIENT_MESSAGE_ID_CHARS_MAX`]
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientMessageId(String);

impl ClientMessageId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ClientMessageId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fits = (1..=CLIENT_MESSAGE_ID_CHARS_MAX).contains(&text.chars().count());
        if fits && !text.chars().any(char::is_control) {
            return Ok(ClientMessageId(text));
        }
        let why = "characters, none of them a control character";
        Err(D::Error::custom(format!("1 to {CLIENT_MESSAGE_ID_CHARS_MAX} {why}")))
    }
}

/// `addOnlineUser`: the caller is here. A guest says who they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddOnlineUser {
    /// Who; needed of guests.
    #[serde(rename = "userID", default)]
    pub user_id: Option<Claim>,
    /// Their name, where a guest is nobody yet.
    #[serde(default)]
    pub user_username: Option<String>,
    /// The same, as some clients spell it.
    #[serde(default)]
    pub username: Option<String>,
}

/// `joinRoom`: the caller wants to hear what is for them.
#[derive(Debug, Clone, Deserialize)]
pub struct JoinPersonal {
    /// The caller's id.
    pub data: String,
}

/// `chatRoom.join`: the caller wants to hear what is said in a room.
#[derive(Debug, Clone, Deserialize)]
pub struct JoinRoom {
    /// The label of the room.
    pub data: String,
}

/// `leaveRoom` and `chatRoom.leave`: whatever they name.
#[derive(Debug, Clone, Deserialize)]
pub struct Leave {
    /// The caller's id, or the label of a room.
    #[serde(default)]
    pub data: Value,
}

/// `message`.
#[derive(Debug, Clone, Deserialize)]
pub struct SendMessage {
    /// The message.
    pub data: NewMessage,
}

/// What is said, and where.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// The text.
    pub message: Text,
    /// Who says it.
    #[serde(default)]
    pub from: Option<Claim>,
    /// In which room.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// Whether it is the first contact of a client to a houseworker.
    #[serde(default)]
    pub contact: Option<bool>,
    /// Whether recipients are to find a notification of it: anything but `null`.
    #[serde(default)]
    pub create_room_notification: Option<IgnoredAny>,
    /// By which it may be sent again.
    #[serde(rename = "clientMessageID", default)]
    pub client_message_id: Option<ClientMessageId>,
}

/// What the sender of a message is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Always true.
    pub success: bool,
    /// The message's id.
    #[serde(rename = "messageID")]
    pub message_id: i64,
    /// The label of its room, as it is now.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// When it was sent.
    pub date: Date,
}

/// It is done: `{"success":true}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Always true.
    pub success: bool,
}

impl Done {
    /// It is done.
    pub const DONE: Done = Done { success: true };
}

/// `startTypingRoom` and `stopTypingRoom`.
#[derive(Debug, Clone, Deserialize)]
pub struct Typing {
    /// In which room.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// Who types.
    #[serde(default)]
    pub user: Option<TypingUser>,
}

/// Who types, as the client says.
#[derive(Debug, Clone, Deserialize)]
pub struct TypingUser {
    /// The caller's id.
    #[serde(rename = "userID", default)]
    pub user_id: Option<Claim>,
}

/// `createUserGroup` and `addUserToGroup`.
#[derive(Debug, Clone, Deserialize)]
pub struct AddUser {
    /// Who comes, and where.
    pub data: NewMember,
}

/// Who comes into a room, and what it is called by that.
#[derive(Debug, Clone, Deserialize)]
pub struct NewMember {
    /// Who comes.
    #[serde(rename = "newUserID")]
    pub new_user_id: UserId,
    /// Into which room, or beside which private one.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// The label of the room with them.
    #[serde(rename = "newRoomID")]
    pub new_room_id: String,
    /// Who asks.
    #[serde(rename = "clientID", default)]
    pub client_id: Option<Claim>,
    /// Where a picture of them is, if the server knows none.
    #[serde(rename = "newUserPicturePath", default)]
    pub new_user_picture_path: Option<String>,
}

/// `kickUserFromGroup`: naming oneself is leaving.
#[derive(Debug, Clone, Deserialize)]
pub struct KickUser {
    /// From which room.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// The label of the room without them.
    #[serde(rename = "newRoomID")]
    pub new_room_id: String,
    /// Who goes.
    #[serde(rename = "kickedUserID")]
    pub kicked_user_id: UserId,
    /// Who asks.
    #[serde(rename = "clientID", default)]
    pub client_id: Option<Claim>,
}

/// `deleteUserRoom`.
#[derive(Debug, Clone, Deserialize)]
pub struct DeleteRoom {
    /// Which room.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// Who asks.
    #[serde(rename = "clientID", default)]
    pub client_id: Option<Claim>,
}

/// `chat.open`: a room of the caller and these.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenRoom {
    /// The others: one for a private room, more for a group. The caller may be among them.
    pub members: Vec<UserId>,
}

/// `chat.rooms`: the caller's rooms, those first where something happened last.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListRooms {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
    /// `true`: those that are closed, which can be read only.
    #[serde(default, deserialize_with = "present")]
    pub closed: Option<Flag>,
}

/// `true` or `false` in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// Yes.
    True,
    /// No.
    False,
}

/// `chat.room` and `chat.read`: one room.
#[derive(Debug, Clone, Deserialize)]
pub struct OneRoom {
    /// Its label, or its conversation's id.
    #[serde(rename = "roomID")]
    pub room_id: String,
}

/// `chat.messages`: what was said in a room, the newest first.
#[derive(Debug, Clone, Deserialize)]
pub struct ListMessages {
    /// The room's label, or its conversation's id.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// Only what was said before the message with this id: `next` of the page before.
    #[serde(default, deserialize_with = "present")]
    pub before: Option<String>,
    /// At most so many: 1 to 1,000, 100 if absent.
    #[serde(default, deserialize_with = "present")]
    pub limit: Option<i64>,
}

/// `chat.online`: who is here, by id.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListOnline {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// A user, as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member {
    /// The id.
    #[serde(rename = "userID")]
    pub user_id: UserId,
    /// The name; empty of who is no user any more.
    pub username: String,
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Its label now; of a closed one, its last.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// What it is called for ever, e.g. `conversation-17`.
    #[serde(rename = "conversationID")]
    pub conversation_id: String,
    /// Whether it is a group.
    pub group: bool,
    /// Who is in it, by id.
    pub members: Vec<Member>,
    /// What was said last, if the caller may know it.
    pub last_message: Option<String>,
    /// How many messages the caller has not read.
    pub unread: i64,
    /// Who may kick and delete; of a group alone.
    pub creator: Option<UserId>,
    /// When something was said last, RFC 3339 with milliseconds.
    pub last_at: Option<String>,
    /// Whether nothing can be said there any more.
    pub closed: bool,
}

/// A message, as members find it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id.
    #[serde(rename = "messageID")]
    pub message_id: i64,
    /// The label of its room now.
    #[serde(rename = "roomID")]
    pub room_id: String,
    /// Who said it.
    pub from: UserId,
    /// Their name then.
    pub from_username: String,
    /// The text.
    pub message: String,
    /// When, as people are shown it.
    pub date: Date,
    /// When, RFC 3339 with milliseconds.
    pub timestamp: String,
}

/// How many messages the caller has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// That many.
    pub unread: i64,
}

/// `chat.present`: who came and who went, as the server saw it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Present {
    /// Who is here: they are noted if they are not yet.
    #[serde(default)]
    pub came: Vec<UserId>,
    /// Whose last connection is gone.
    #[serde(default)]
    pub went: Vec<UserId>,
    /// How many connections there are, of all kinds: so many may hear of it at the most.
    #[serde(default)]
    pub listeners: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_something_to_see() {
        let longest = "\u{e4}".repeat(TEXT_LEN_MAX / 2);
        for text in [
            "a",
            " a ",
            "a\nb\tc",
            "\u{200b}a",
            "\u{5d0}\u{202e}b",
            "<b>",
            "\u{1f468}\u{200d}\u{1f469}",
            &longest,
        ] {
            let read = Text::parse(text.to_owned()).expect(text);
            assert_eq!(read.as_str(), text, "it is kept as it came");
        }
        let longer = format!("{longest}a");
        for text in [
            "",
            " ",
            "\n\t ",
            "\u{a0}\u{3000}",
            "\u{200b}",
            "\u{200b} \u{feff}\u{2060}",
            "\u{200e}\u{202a}",
            "\u{3164}",
            "a\0",
            "a\r\n",
            "a\u{7f}",
            "a\u{85}",
            "\u{1b}[0m",
            &longer,
        ] {
            assert!(Text::parse(text.to_owned()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn ids_of_clients_have_an_end() {
        let read = |text: String| serde_json::from_value::<ClientMessageId>(text.into()).is_ok();
        for (text, is_one) in [
            (String::new(), false),
            ("a".into(), true),
            ("\u{e4}".repeat(64), true),
            ("a".repeat(65), false),
            ("a\0".into(), false),
            (" ".into(), true),
        ] {
            assert_eq!(read(text.clone()), is_one, "{text:?}");
        }
    }

    #[test]
    fn claims_are_taken_by_the_letter() {
        for (claim, is_let_through) in [
            (None, true),
            (Some("7"), true),
            (Some("07"), false),
            (Some("7 "), false),
            (Some(""), false),
            (Some("8"), false),
        ] {
            let claim = claim.map(|text| Claim(text.to_owned()));
            let checked = claimed(claim.as_ref(), UserId(7), "from");
            assert_eq!(
                checked.map_err(|fault| fault.code),
                match is_let_through {
                    true => Ok(()),
                    false => Err(Code::Forbidden),
                }
            );
        }
        assert!(serde_json::from_str::<Claim>("7").is_err(), "a number is none");
    }
}
