//! What the tool says to the service of stations, and understands of what comes back.

use anyhow::{Context as _, Result, bail};

use crate::http;

/// The stream of all stations.
pub const ALL: &str = "/ws/stations/";

const NAME: &[u8] = br#"{"type":""#;
const STATION: &[u8] = br#"","station_id":"#;
const ANSWER: &[u8] = br#":response","success":true"#;

/// A decision about a battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// It is booked.
    Book,
    /// Who booked it takes it along.
    Collect,
    /// Who booked it does not want it any more.
    Cancel,
    /// Another comes in place of one that was taken along.
    Add,
}

/// What a watcher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Of which station.
    pub station_id: u64,
    /// What was done, if this is the last that is told of it.
    pub done: Option<Command>,
}

impl Command {
    /// All there are.
    pub const ALL: [Command; 4] = [Command::Book, Command::Collect, Command::Cancel, Command::Add];

    /// How many events tell of it.
    pub fn events(self) -> u32 {
        self.event().map_or(1, |_| 2)
    }

    /// The event of its own, which comes before the station's numbers.
    fn event(self) -> Option<&'static str> {
        match self {
            Self::Book => Some("battery_booked"),
            Self::Collect => Some("battery_collected"),
            Self::Add => Some("battery_added"),
            Self::Cancel => None,
        }
    }

    /// What it is called with the station's numbers.
    fn action(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Collect => "collect",
            Self::Add => "add",
            Self::Cancel => "update",
        }
    }

    /// What asks for it: at a station, or of the booking with this number.
    pub fn call(self, number: u64) -> String {
        match self {
            Self::Book => format!(r#"{{"type":"stations.book","station_id":{number}}}"#),
            Self::Collect => format!(r#"{{"type":"bookings.collect","booking_id":{number}}}"#),
            Self::Cancel => format!(r#"{{"type":"bookings.cancel","booking_id":{number}}}"#),
            Self::Add => format!(
                r#"{{"type":"batteries.add","station_id":{number},"name":"Tesla Battery","model":"Model 3"}}"#
            ),
        }
    }

    /// What is told of it, as the document spells it, of a battery in general.
    pub fn told(self, station_id: u64) -> Vec<String> {
        let (at, station) =
            (r#""timestamp":"2026-02-27T10:30:00""#, station_name(station_id as usize));
        let start = |event: &str| {
            format!(r#"{{"type":"{event}","station_id":{station_id},"station_name":"{station}""#)
        };
        let numbers = r#""available_batteries":15,"booked_batteries":1"#;
        let rest = match self {
            Self::Book => format!(r#","battery_id":10000,{numbers},"user":"m***",{at}}}"#),
            Self::Add => format!(
                r#","battery_id":10000,"available_batteries":15,"total_batteries":16,{at}}}"#
            ),
            _ => format!(r#","battery_id":10000,{numbers},{at}}}"#),
        };
        let own = self.event().map(|event| start(event) + &rest);
        let action = self.action();
        let update = start("inventory_update")
            + &format!(r#",{numbers},"total_batteries":16,{at},"action":"{action}"}}"#);
        own.into_iter().chain([update]).collect()
    }
}

/// The stream of one station.
pub fn path(station_id: u64) -> String {
    format!("{ALL}{station_id}/")
}

/// What a station is called.
pub fn station_name(number: usize) -> String {
    format!("Station {number}")
}

/// Reads what a watcher hears; `None`: it is about no station's batteries.
#[inline]
pub fn told(text: &[u8]) -> Option<Told> {
    let rest = text.strip_prefix(NAME)?;
    let name_len = rest.iter().position(|byte| *byte == b'"')?;
    let (name, rest) = rest.split_at(name_len);
    let digits = rest.strip_prefix(STATION)?;
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let station_id = digits.fold(0, |id: u64, digit| id * 10 + u64::from(digit - b'0'));
    let done = match name {
        b"inventory_update" => {
            Some(Command::ALL.into_iter().find(|command| is_of(text, *command))?)
        }
        b"battery_booked" | b"battery_collected" | b"battery_added" => None,
        _ => return None,
    };
    Some(Told { station_id, done })
}

fn is_of(update: &[u8], command: Command) -> bool {
    update.strip_suffix(br#""}"#).is_some_and(|start| {
        let start = start.strip_suffix(command.action().as_bytes());
        start.is_some_and(|start| start.ends_with(br#""action":""#))
    })
}

/// Whether `text` answers a call. A refusal is an error.
pub fn is_answer(text: &[u8]) -> Result<bool> {
    let is_answer = text.windows(ANSWER.len()).take(64).any(|window| window == ANSWER);
    if !is_answer && text.starts_with(br#"{"type":"error""#) {
        bail!("the server refused: {}", String::from_utf8_lossy(text));
    }
    Ok(is_answer)
}

/// The number of the booking, or the station, in the answer to a call.
pub fn number_of(answer: &[u8]) -> Result<u64> {
    http::number_of(answer, "id")
        .with_context(|| format!("answered: {}", String::from_utf8_lossy(answer)))
}

/// A text with every whole number in it replaced by one digit: what is told of two stations is the same
/// then.
pub fn without_numbers(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for c in text.chars() {
        let is_digit = c.is_ascii_digit();
        if !(is_digit && shape.ends_with('0')) {
            shape.push(if is_digit { '0' } else { c });
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_command_is_recognised() {
        for command in Command::ALL {
            let events = command.told(17);
            assert_eq!(events.len(), command.events() as usize);
            for (place, event) in events.iter().enumerate() {
                let is_last = place + 1 == events.len();
                let expected = Told { station_id: 17, done: is_last.then_some(command) };
                assert_eq!(told(event.as_bytes()), Some(expected), "{event}");
            }
        }
        for other in [
            r#"{"type":"connection_established","message":"Connected to station_1","station_id":1}"#,
            r#"{"type":"inventory_update","station_id":1,"action":"else"}"#,
            r#"{"type":"stations.book:response","success":true,"data":{"id":1,"station_id":17}}"#,
            "",
        ] {
            assert_eq!(told(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn it_is_spelled_as_the_document_has_it() {
        let booked = r#"{"type":"battery_booked","station_id":7,"station_name":"Station 7","battery_id":10000,"available_batteries":15,"booked_batteries":1,"user":"m***","timestamp":"2026-02-27T10:30:00"}"#;
        let update = r#"{"type":"inventory_update","station_id":7,"station_name":"Station 7","available_batteries":15,"booked_batteries":1,"total_batteries":16,"timestamp":"2026-02-27T10:30:00","action":"book"}"#;
        assert_eq!(Command::Book.told(7), [booked, update]);
    }

    #[test]
    fn answers_are_told_from_events_and_refusals() {
        let booked = br#"{"type":"stations.book:response","success":true,"data":{"id":123,"station_id":1,"battery_id":5}}"#;
        assert!(is_answer(booked).unwrap());
        assert_eq!(number_of(booked).unwrap(), 123);
        assert!(!is_answer(Command::Add.told(1)[0].as_bytes()).unwrap());
        assert!(is_answer(br#"{"type":"error","message":"battery 5 is not available"}"#).is_err());
        assert!(number_of(br#"{"type":"bookings.cancel:response","success":true}"#).is_err());
    }

    #[test]
    fn numbers_make_no_difference() {
        let (one, other) = (&Command::Book.told(1)[0], &Command::Book.told(998)[0]);
        assert_ne!(one, other);
        assert_eq!(without_numbers(one), without_numbers(other));
        assert_ne!(without_numbers(one), without_numbers(&Command::Book.told(1)[1]));
    }
}
