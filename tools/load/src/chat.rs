//! What the tool says to the service of chat, and understands of its answers.

use anyhow::{Result, bail};

use crate::bare::Script;
use crate::dialect::{Dialect, EVERYTHING};
use crate::opening::Opening;
use crate::people::Person;

/// The stream of chat over a plain WebSocket. In Socket.IO chat is heard where all services are.
const CHAT_PATH: &str = "/ws/chat/";
/// What is said in a room.
const TEXT_LEN: usize = 64;

/// The ids of calls, by which their answers are told apart.
const HERE: u8 = 1;
const JOIN_PERSONAL: u8 = 2;
const JOIN_ROOM: u8 = 3;
const SAY: u8 = 4;

/// What a connection of somebody in chat is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// Something was said in a room: `messageRoom`.
    Message,
    /// The same, to who was not the one to say it: `messageResponseNotify`.
    Notify,
    /// Somebody is here: `newOnlineUser`.
    Came,
    /// Somebody is gone.
    Went,
    /// What was asked for is done.
    Done,
    /// Anything else.
    Else,
}

/// How a kind of message begins in each dialect.
struct Start {
    told: Told,
    plain: &'static [u8],
    socket_io: &'static [u8],
}

/// The most frequent first.
const STARTS: [Start; 4] = [
    Start {
        told: Told::Message,
        plain: br#"{"type":"messageRoom""#,
        socket_io: br#"42["messageRoom","#,
    },
    Start {
        told: Told::Notify,
        plain: br#"{"type":"messageResponseNotify""#,
        socket_io: br#"42["messageResponseNotify","#,
    },
    Start {
        told: Told::Came,
        plain: br#"{"type":"newOnlineUser","data":{"type":"Add""#,
        socket_io: br#"42["newOnlineUser",{"type":"Add""#,
    },
    Start {
        told: Told::Went,
        plain: br#"{"type":"newOnlineUser","data":{"type":"Remove""#,
        socket_io: br#"42["newOnlineUser",{"type":"Remove""#,
    },
];

impl Dialect {
    /// A connection of somebody in chat.
    pub fn chat(self, token: &str) -> Opening<'_> {
        let token = Some(token);
        match self {
            Self::Plain => Opening::Plain { path: CHAT_PATH, token },
            Self::SocketIo => Opening::SocketIo { namespace: EVERYTHING, token, topic: None },
        }
    }

    /// What asks for the events of one's own.
    pub fn join_personal(self, person: &Person) -> String {
        self.call("joinRoom", JOIN_PERSONAL, &format!(r#""{}""#, person.user_id))
    }

    /// What enters a room.
    pub fn join_room(self, label: &str) -> String {
        self.call("chatRoom.join", JOIN_ROOM, &format!(r#""{label}""#))
    }

    /// Something that is said in a room.
    pub fn say(self, label: &str) -> String {
        let text = "m".repeat(TEXT_LEN);
        self.call("message", SAY, &format!(r#"{{"message":"{text}","roomID":"{label}"}}"#))
    }

    /// What is told of something said in a room, as the document spells it, of nobody in particular.
    pub fn made_up_script(self, label: &str) -> Script {
        let text = "m".repeat(TEXT_LEN);
        let date = r#"{"day":25,"month":10,"year":2026,"time":"14:30"}"#;
        let message = format!(
            r#""message":"{text}","from":"17","roomID":"{label}","fromUsername":"member_17","date":{date}"#
        );
        let notify = format!(
            r#""roomID":"{label}","fromUsername":"member_17","fromUserID":"17","userID":"18","lastMessage":"{text}",{}"#,
            r#""unreadUpdateStatus":true,"createRoomNotification":null"#
        );
        let done = format!(r#""success":true,"messageID":1234,"roomID":"{label}","date":{date}"#);
        let event = |name: &str, fields: &str| match self {
            Self::Plain => format!(r#"{{"type":"{name}",{fields}}}"#).into_bytes(),
            Self::SocketIo => format!(r#"42["{name}",{{{fields}}}]"#).into_bytes(),
        };
        let answer = match self {
            Self::Plain => event("message:response", &done),
            Self::SocketIo => format!("43{SAY}[{{{done}}}]").into_bytes(),
        };
        let message = event("messageRoom", &message);
        let others = vec![message.clone(), event("messageResponseNotify", &notify)];
        Script { speaker: vec![answer, message], others }
    }

    /// What says that somebody is here.
    pub fn here(self, person: &Person) -> String {
        let Person { user_id, username, .. } = person;
        let fields = format!(r#""userID":"{user_id}","userUsername":"{username}""#);
        match self {
            Self::Plain => format!(r#"{{"type":"addOnlineUser",{fields},"id":{HERE}}}"#),
            Self::SocketIo => format!(r#"42{HERE}["addOnlineUser",{{{fields}}}]"#),
        }
    }

    /// A call of chat that asks for an answer; its argument is what plain clients send as `data`, and so
    /// does the document `message`.
    fn call(self, name: &str, id: u8, data: &str) -> String {
        match (self, name) {
            (Self::Plain, _) => format!(r#"{{"type":"{name}","data":{data},"id":{id}}}"#),
            (Self::SocketIo, "message") => format!(r#"42{id}["{name}",{{"data":{data}}}]"#),
            (Self::SocketIo, _) => format!(r#"42{id}["{name}",{data}]"#),
        }
    }

    /// Whether `text` refuses something as the server has too much to do. A client asks again then.
    pub fn is_overloaded(self, text: &[u8]) -> bool {
        let said = String::from_utf8_lossy(text);
        let is_refusal = match self {
            Self::Plain => said.starts_with(r#"{"type":"error""#),
            Self::SocketIo => said.starts_with("43") || said.starts_with(r#"42["error""#),
        };
        is_refusal && said.contains(r#""code":"OVERLOADED""#)
    }

    /// Whether `text` answers what says that somebody is here, or else what asks for the events of
    /// one's own.
    pub fn is_answer_to_here(self, text: &[u8]) -> bool {
        match self {
            Self::Plain => text.starts_with(br#"{"type":"addOnlineUser:response""#),
            Self::SocketIo => text.starts_with(format!("43{HERE}[").as_bytes()),
        }
    }

    /// What `text` tells. A refusal is an error: the tool asks for nothing that it may not have.
    #[inline]
    pub fn told(self, text: &[u8]) -> Result<Told> {
        for start in &STARTS {
            let begins = match self {
                Self::Plain => start.plain,
                Self::SocketIo => start.socket_io,
            };
            if text.starts_with(begins) {
                return Ok(start.told);
            }
        }
        let said = String::from_utf8_lossy(text);
        let (is_answer, is_refusal) = match self {
            Self::Plain => (said.contains(r#":response""#), said.starts_with(r#"{"type":"error""#)),
            Self::SocketIo => (said.starts_with("43"), said.starts_with(r#"42["error""#)),
        };
        if is_refusal || is_answer && !said.contains(r#""success":true"#) {
            bail!("the server refused: {said}");
        }
        Ok(if is_answer { Told::Done } else { Told::Else })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the document's clients send and hear, as the contract spells it.
    #[test]
    fn calls_are_those_of_the_document() {
        let person = Person { user_id: 123, username: "john_doe".to_owned(), token: String::new() };
        let text = "m".repeat(TEXT_LEN);
        let said = format!(r#"{{"message":"{text}","roomID":"1:2"}}"#);
        let (plain, socket_io) = (Dialect::Plain, Dialect::SocketIo);
        for (call, expected) in [
            (plain.join_personal(&person), r#"{"type":"joinRoom","data":"123","id":2}"#.to_owned()),
            (socket_io.join_personal(&person), r#"422["joinRoom","123"]"#.to_owned()),
            (plain.join_room("1:2"), r#"{"type":"chatRoom.join","data":"1:2","id":3}"#.to_owned()),
            (socket_io.join_room("1:2"), r#"423["chatRoom.join","1:2"]"#.to_owned()),
            (plain.say("1:2"), format!(r#"{{"type":"message","data":{said},"id":4}}"#)),
            (socket_io.say("1:2"), format!(r#"424["message",{{"data":{said}}}]"#)),
            (
                plain.here(&person),
                r#"{"type":"addOnlineUser","userID":"123","userUsername":"john_doe","id":1}"#
                    .to_owned(),
            ),
            (
                socket_io.here(&person),
                r#"421["addOnlineUser",{"userID":"123","userUsername":"john_doe"}]"#.to_owned(),
            ),
        ] {
            assert_eq!(call, expected);
        }
    }

    #[test]
    fn what_is_told_is_known_by_its_beginning() {
        let (plain, socket_io) = (Dialect::Plain, Dialect::SocketIo);
        for (dialect, text, told) in [
            (plain, r#"{"type":"messageRoom","message":"a"}"#, Told::Message),
            (socket_io, r#"42["messageRoom",{"message":"a"}]"#, Told::Message),
            (plain, r#"{"type":"messageResponseNotify","roomID":"1:2"}"#, Told::Notify),
            (socket_io, r#"42["messageResponseNotify",{"roomID":"1:2"}]"#, Told::Notify),
            (plain, r#"{"type":"newOnlineUser","data":{"type":"Add","userID":"1"}}"#, Told::Came),
            (socket_io, r#"42["newOnlineUser",{"type":"Add","userID":"1"}]"#, Told::Came),
            (socket_io, r#"42["newOnlineUser",{"type":"Remove","userID":"1"}]"#, Told::Went),
            (plain, r#"{"type":"joinRoom:response","success":true,"id":1}"#, Told::Done),
            (socket_io, r#"431[{"success":true,"messageID":7}]"#, Told::Done),
            (socket_io, r#"42["messagePage",{"roomID":"1:2"}]"#, Told::Else),
        ] {
            assert_eq!(dialect.told(text.as_bytes()).unwrap(), told, "{text}");
        }
    }

    #[test]
    fn what_is_made_up_is_known_as_well() {
        for dialect in [Dialect::Plain, Dialect::SocketIo] {
            let Script { speaker, others } = dialect.made_up_script("1:2");
            let told = |texts: &[Vec<u8>]| -> Vec<Told> {
                texts.iter().map(|text| dialect.told(text).unwrap()).collect()
            };
            assert_eq!(told(&speaker), [Told::Done, Told::Message]);
            assert_eq!(told(&others), [Told::Message, Told::Notify]);
        }
    }

    #[test]
    fn who_is_refused_for_a_while_is_known() {
        let (plain, socket_io) = (Dialect::Plain, Dialect::SocketIo);
        for (dialect, text, is_overloaded, is_to_here) in [
            (plain, r#"{"type":"error","error":"later","code":"OVERLOADED"}"#, true, false),
            (plain, r#"{"type":"addOnlineUser:response","success":true,"id":1}"#, false, true),
            (plain, r#"{"type":"joinRoom:response","success":true,"id":2}"#, false, false),
            (socket_io, r#"431[{"error":"later","code":"OVERLOADED"}]"#, true, true),
            (socket_io, r#"42["error",{"error":"later","code":"OVERLOADED"}]"#, true, false),
            (socket_io, r#"431[{"error":"no","code":"FORBIDDEN"}]"#, false, true),
            (socket_io, r#"432[{"success":true}]"#, false, false),
            (socket_io, r#"42["messageRoom",{"message":"\"code\":\"OVERLOADED\""}]"#, false, false),
        ] {
            assert_eq!(dialect.is_overloaded(text.as_bytes()), is_overloaded, "{text}");
            assert_eq!(dialect.is_answer_to_here(text.as_bytes()), is_to_here, "{text}");
        }
    }

    #[test]
    fn refusals_end_a_measurement() {
        for (dialect, refusal) in [
            (Dialect::Plain, r#"{"type":"error","error":"no","code":"FORBIDDEN","timestamp":""}"#),
            (Dialect::SocketIo, r#"42["error",{"error":"no","code":"FORBIDDEN"}]"#),
            (Dialect::SocketIo, r#"431[{"error":"no","code":"NOT_FOUND"}]"#),
        ] {
            assert!(dialect.told(refusal.as_bytes()).is_err(), "{refusal}");
        }
    }
}
