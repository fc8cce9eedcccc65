//! What must become of rooms, by the words of docs/protocol.md and with nothing of the service's own.

mod changes;

use std::collections::{BTreeMap, BTreeSet};

use super::{Json, Micros, SECOND, START, USERS, json};

/// What is told: an event with whom it is not for, and each payload with its topics; of one for inboxes only the topics
/// are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub name: String,
    pub except: Vec<String>,
    pub variants: Vec<(Vec<String>, Json)>,
}

/// What came of a call that was heard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Came {
    pub told: Vec<Told>,
    pub effects: Vec<String>,
    /// Some keys of the reply.
    pub reply: Json,
}

/// A refusal, by its name.
pub type Refused = &'static str;

#[derive(Debug, Clone)]
pub struct Seat {
    pub user: i64,
    pub seat: i64,
    first: usize,
    read: usize,
}

#[derive(Debug, Clone)]
struct Said {
    id: i64,
    sender: i64,
    name: &'static str,
    text: String,
    client: Option<(String, String)>,
}

#[derive(Debug, Clone)]
pub struct Room {
    pub group: bool,
    pub open: bool,
    deleted: Option<Micros>,
    /// By when they came.
    pub members: Vec<Seat>,
    /// Who ever was one.
    ever: BTreeSet<i64>,
    pub label: String,
    first: String,
    creator: Option<i64>,
    said: Vec<Said>,
    activity: i64,
    /// The labels that it bore, each until when, and with the number of the change by which it got another.
    bore: Vec<(String, Micros, u64)>,
    /// Where it goes on, since which place of the log, for seats from before which.
    successor: Option<(usize, u64, i64)>,
}

/// Where a label leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Leads {
    Private(String),
    Group(usize),
}

/// What a connection is in.
#[derive(Debug, Clone, PartialEq)]
pub enum Entered {
    /// A private room.
    Private(String),
    /// A group, by this seat, after how many changes; if that was by a label of before, after none.
    Group { room: usize, seat: i64, changes: u64 },
}

/// All of it. The id of a conversation is its place, counted from 1.
#[derive(Debug)]
pub struct Model {
    pub now: Micros,
    pub users: BTreeMap<i64, &'static str>,
    pub rooms: Vec<Room>,
    /// All seats that there ever were: whose, and in which room.
    pub seats_ever: Vec<(i64, i64)>,
    /// How many changes of labels there were.
    changes: u64,
    seats: i64,
    messages: i64,
    notifications: i64,
    activity: i64,
    pub head: u64,
}

pub fn label_of(users: &[i64]) -> String {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.iter().map(i64::to_string).collect::<Vec<_>>().join(":")
}

/// The ids in a label, if it is one.
pub fn ids(label: &str) -> Option<Vec<i64>> {
    let ids: Vec<i64> = label.split(':').map(|id| id.parse().ok()).collect::<Option<_>>()?;
    (ids.len() > 1 && ids.windows(2).all(|two| two[0] < two[1]) && label_of(&ids) == label)
        .then_some(ids)
}

fn person(user: i64) -> String {
    format!("person/{user}")
}

fn told(name: &str, topics: Vec<String>, payload: Json) -> Told {
    Told { name: name.into(), except: Vec::new(), variants: vec![(topics, payload)] }
}

fn inboxes(users: &[i64]) -> Vec<Told> {
    let topics: Vec<String> = users.iter().map(|user| format!("inbox/{user}")).collect();
    if users.is_empty() { Vec::new() } else { vec![told("notification", topics, Json::Null)] }
}

impl Room {
    pub fn has(&self, user: i64) -> bool {
        self.members.iter().any(|seat| seat.user == user)
    }

    pub fn seat(&self, user: i64) -> Option<&Seat> {
        self.members.iter().find(|seat| seat.user == user)
    }

    /// All labels that it bore, and the one that it bears.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        let old: BTreeSet<&String> = self.bore.iter().map(|(label, ..)| label).collect();
        old.into_iter().chain([&self.label]).cloned()
    }

    /// Until when it bore a label that it got another for.
    fn bore_until(&self, label: &str) -> Option<Micros> {
        let all = self.bore.iter().filter(|(old, ..)| old == label);
        all.map(|(_, until, _)| *until).max()
    }

    fn users(&self) -> Vec<i64> {
        let mut users: Vec<i64> = self.members.iter().map(|seat| seat.user).collect();
        users.sort_unstable();
        users
    }
}

impl Model {
    pub fn new(head: u64) -> Model {
        Model {
            now: START,
            users: USERS.into_iter().collect(),
            rooms: Vec::new(),
            seats_ever: Vec::new(),
            changes: 0,
            seats: 0,
            messages: 0,
            notifications: 0,
            activity: 0,
            head,
        }
    }

    /// The topic of what is said in a room.
    pub fn topic(&self, room: usize) -> String {
        let found = &self.rooms[room];
        if found.group { format!("group/{}", room + 1) } else { format!("private/{}", found.label) }
    }

    fn live(&self, label: &str) -> Option<usize> {
        self.rooms.iter().position(|room| room.open && room.label == label)
    }

    /// Where a label leads this user, who wants to talk.
    pub fn leads(&self, user: i64, label: &str) -> Result<Leads, Refused> {
        let ids = ids(label).ok_or("INVALID_ROOM")?;
        if ids.len() == 2 {
            return if ids.contains(&user) {
                Ok(Leads::Private(label.into()))
            } else {
                Err("NOT_FOUND")
            };
        }
        if let Some(room) = self.live(label).filter(|room| self.rooms[*room].has(user)) {
            return Ok(Leads::Group(room));
        }
        let deleted = self.rooms.iter().filter(|room| room.deleted.is_some());
        let deleted = deleted.filter_map(|room| room.bore_until(label)).max().unwrap_or(0);
        let mut bore: Vec<(Micros, usize)> = Vec::new();
        for (place, room) in self.rooms.iter().enumerate() {
            let until = room.bore_until(label);
            let until = until.filter(|until| *until >= self.now - 60 * SECOND && *until > deleted);
            bore.extend(until.map(|until| (until, place)));
        }
        // That which bore it last of those in which they are or were.
        let meant = bore.iter().filter(|(_, room)| self.rooms[*room].ever.contains(&user)).max();
        let found = meant.and_then(|(_, room)| self.goes_on(*room, user));
        found.map(|(leads, _)| leads).ok_or("NOT_FOUND")
    }

    /// Where a room goes on for this user, and since when.
    pub fn goes_on(&self, room: usize, user: i64) -> Option<(Leads, u64)> {
        let (mut room, mut since, mut before) = (room, 0, i64::MAX);
        loop {
            let found = &self.rooms[room];
            found.seat(user).filter(|seat| seat.seat < before)?;
            match found.successor {
                Some(next) if !found.open => (room, since, before) = next,
                _ if !found.group => return Some((Leads::Private(found.label.clone()), since)),
                _ if found.open => return Some((Leads::Group(room), since)),
                _ => return None,
            }
        }
    }

    /// A connection of a user enters what has this label, and is not in it by any label of before then.
    pub fn enter(&self, user: i64, label: &str, entered: &mut Vec<Entered>) {
        let Ok(leads) = self.leads(user, label) else { return };
        let now = match leads {
            Leads::Private(label) => Entered::Private(label),
            Leads::Group(room) => {
                let found = &self.rooms[room];
                let seat = found.seat(user).expect("it leads who is in it").seat;
                let is_present = found.label == label;
                let is_it = |other: &Entered| matches!(other, Entered::Group { seat: other, .. } if *other == seat);
                entered.retain(|other| !(is_present && is_it(other)));
                Entered::Group { room, seat, changes: if is_present { self.changes } else { 0 } }
            }
        };
        if !entered.contains(&now) {
            entered.push(now);
        }
    }

    /// It leaves what has this label: a room of theirs that bears it, or what they know by it.
    pub fn leave(&self, user: i64, label: &str, entered: &mut Vec<Entered>) {
        let live = self.live(label).filter(|room| self.rooms[*room].has(user));
        entered.retain(|entered| match entered {
            Entered::Private(private) => private != label,
            Entered::Group { room, changes, .. } => {
                let (mut room, mut since) = (*room, *changes);
                loop {
                    let found = &self.rooms[room];
                    let knows = found.bore.iter().any(|(old, _, at)| old == label && *at > since);
                    if live.map_or(knows, |live| live == room) {
                        return false;
                    }
                    let Some((next, ..)) = found.successor else { return true };
                    since = found.bore.last().map_or(0, |(.., at)| *at);
                    room = next;
                }
            }
        });
    }

    /// What was deleted longer ago than labels lead is gone.
    pub fn tidy(&mut self) {
        let before = self.now - 60 * SECOND;
        for room in &mut self.rooms {
            if room.deleted.is_some_and(|at| at < before) {
                room.said.clear();
            }
        }
    }

    /// Which room a label means to this user, who wants to read.
    pub fn readable(&self, user: i64, label: &str) -> Result<usize, Refused> {
        ids(label).ok_or("INVALID_ROOM")?;
        if let Some(room) = self.live(label).filter(|room| self.rooms[*room].has(user)) {
            return Ok(room);
        }
        let closed = |room: &Room| !room.open && room.label == label && room.has(user);
        if let Some(room) = self.rooms.iter().rposition(closed) {
            return Ok(room);
        }
        match self.leads(user, label)? {
            Leads::Group(room) => Ok(room),
            Leads::Private(label) => self.live(&label).ok_or("NOT_FOUND"),
        }
    }

    /// The texts that a member finds, the newest first.
    pub fn texts(&self, room: usize, user: i64) -> Vec<String> {
        let room = &self.rooms[room];
        let Some(seat) = room.seat(user) else { return Vec::new() };
        room.said[seat.first..]
            .iter()
            .rev()
            .map(|said| format!("{} {}", said.name, said.text))
            .collect()
    }

    /// The rooms of a user as lists have them.
    pub fn list(&self, user: i64, open: bool) -> Vec<Json> {
        let mut rooms: Vec<(usize, &Room)> = self
            .rooms
            .iter()
            .enumerate()
            .filter(|(_, room)| room.has(user) && room.open == open)
            .collect();
        rooms.sort_by_key(|(_, room)| -room.activity);
        let shown = rooms.into_iter().map(|(place, room)| {
            let seat = room.seat(user).expect("they have one");
            let last = room.said[seat.first..].last().map(|said| said.text.clone());
            let members =
                if room.group { room.users() } else { ids(&room.label).expect("a label") };
            json!({
                "roomID": room.label,
                "conversationID": format!("conversation-{}", place + 1),
                "group": room.group,
                "members": members.iter().map(|id| self.member(*id)).collect::<Vec<_>>(),
                "lastMessage": last,
                "unread": room.said.len() - seat.read,
                "creator": room.creator.map(|id| id.to_string()),
                "closed": !room.open,
            })
        });
        shown.collect()
    }

    fn member(&self, id: i64) -> Json {
        json!({ "userID": id.to_string(), "username": self.users.get(&id).copied().unwrap_or("") })
    }
}
