//! A run: what people do, what they are answered, and what each connection is to be told.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Chance,
    model::{Group, Next, Person, Room, World},
};
use crate::chat::{DONE, Form, House, Line, line::ROOT};
use crate::harness::Over;

const PEOPLE: usize = 5;
/// After so many steps everybody is asked what they were told.
const CHECK_EVERY: usize = 6;

/// Something that a connection is told.
#[derive(Debug)]
struct Due {
    text: String,
    /// The topics by which it hears it.
    by: BTreeSet<String>,
    /// The right to it ended before it was seen to be told: it is told or not.
    may_miss: bool,
}

/// What happened while a connection was away.
struct Missed {
    text: String,
    /// The topics by which it would have heard it.
    by: BTreeSet<String>,
    /// Those that would have kept it from that.
    but: Vec<String>,
    was_kept_from: bool,
}

/// A connection of somebody.
struct Ear {
    person: Person,
    form: Form,
    /// It comes back into its rooms.
    recovers: bool,
    line: Option<Line>,
    /// What it was when it left.
    before: Option<Line>,
    rooms: BTreeSet<Room>,
    due: Vec<Due>,
    missed: Vec<Missed>,
}

/// A run.
pub struct Script {
    chance: Chance,
    world: World,
    names: Vec<String>,
    tokens: Vec<String>,
    ears: Vec<Ear>,
    steps: usize,
    texts: usize,
    history: Vec<String>,
    /// How much was told that was due.
    pub heard: usize,
}

impl Script {
    /// People who are new to this house, each with a connection that comes back and one that begins anew.
    pub fn new(house: &House, chance: Chance) -> Script {
        let mut script = Script {
            chance,
            world: World::default(),
            names: Vec::new(),
            tokens: Vec::new(),
            ears: Vec::new(),
            steps: 0,
            texts: 0,
            history: Vec::new(),
            heard: 0,
        };
        for person in 0..PEOPLE {
            let body = json!({ "username": format!("person {person}"), "login": format!("p{}-{person}", fresh()) });
            let made = house.rules("POST", "/api/users").json(&body).expect(201);
            let id = made["userId"].as_str().expect("an id").to_owned();
            script.world.ids.push(id.parse().expect("a number"));
            script.names.push(format!("person {person}"));
            script.tokens.push(house.server.token_of("user", &id, &[]).text);
        }
        for person in 0..PEOPLE {
            let recovers = [ROOT, Form::Chat(Over::Socket), Form::Root(Over::Polling)];
            let forms = [(recovers[person % 3], true), ([Form::Plain, ROOT][person % 2], false)];
            for (form, recovers) in forms {
                let ear = Ear {
                    person,
                    form,
                    recovers,
                    line: None,
                    before: None,
                    rooms: BTreeSet::new(),
                    due: Vec::new(),
                    missed: Vec::new(),
                };
                script.ears.push(ear);
                let at = script.ears.len() - 1;
                script.comes(house, at);
                if script.chance.below(2) == 0 {
                    script.joins_personal(at);
                }
            }
        }
        script
    }

    fn id(&self, person: Person) -> String {
        self.world.ids[person].to_string()
    }

    /// Something happens.
    pub fn step(&mut self, house: &House) {
        self.steps += 1;
        let ear = self.chance.below(self.ears.len());
        if self.ears[ear].line.is_none() {
            self.comes(house, ear);
        } else {
            match self.chance.below(24) {
                0 => self.goes(ear),
                1..=3 => self.joins_personal(ear),
                4..=8 => self.joins(ear),
                9 => self.leaves(ear),
                10..=16 => self.talks(ear),
                17..=18 => self.creates(ear),
                19..=20 => self.adds(ear),
                21..=22 => self.kicks(ear),
                _ => self.deletes(ear),
            }
        }
        if self.steps.is_multiple_of(CHECK_EVERY) {
            self.check();
        }
    }

    /// A connection comes, or comes back.
    fn comes(&mut self, house: &House, at: usize) {
        let hears = self.world.hears(self.ears[at].person, &self.ears[at].rooms);
        let (server, ear) = (&house.server, &mut self.ears[at]);
        let (token, name) = (&self.tokens[ear.person], &self.names[ear.person]);
        self.history.push(format!("{at} comes"));
        ear.line = Some(match ear.recovers {
            true => Line::recovered(server, token, ear.form, name, ear.before.as_ref()),
            false => Line::open(server, token, ear.form, name),
        });
        ear.before = None;
        for missed in std::mem::take(&mut ear.missed) {
            if missed.by.is_disjoint(&hears) {
                continue;
            }
            let is_kept_from = missed.but.iter().any(|topic| hears.contains(topic));
            if missed.was_kept_from && is_kept_from {
                continue;
            }
            let may_miss = missed.was_kept_from != is_kept_from;
            ear.due.push(Due { text: missed.text, by: missed.by, may_miss });
        }
    }

    /// A connection goes, once it was told everything.
    fn goes(&mut self, at: usize) {
        self.check();
        self.is_cut(at);
    }

    /// The server is about to be killed: everybody goes, once they were told everything.
    pub fn all_go(&mut self) {
        self.check();
        (0..self.ears.len())
            .filter(|at| self.ears[*at].line.is_some())
            .collect::<Vec<_>>()
            .into_iter()
            .for_each(|at| self.is_cut(at));
    }

    fn is_cut(&mut self, at: usize) {
        self.history.push(format!("{at} goes"));
        let ear = &mut self.ears[at];
        ear.before = ear.line.take();
        if !ear.recovers {
            ear.before = None;
            ear.rooms.clear();
        } else if let Some(line) = &mut ear.before {
            line.cut();
        }
    }

    /// A connection asks something, and is answered done, or refused with this code.
    #[track_caller]
    fn asks(&mut self, at: usize, call: &str, payload: &Value, refusal: Option<&str>) {
        self.history.push(format!("{at} {call} {payload} {refusal:?}"));
        let line = self.ears[at].line.as_mut().expect("it is there");
        let answer = line.asks(call, &payload.to_string());
        let is_so = match refusal {
            Some(code) => crate::chat::line::is_error(&answer, code).is_some(),
            None => answer == DONE || answer.starts_with(r#"{"success":true,"messageID""#),
        };
        assert!(is_so, "{answer}, not {refusal:?}:\n{}", self.history.join("\n"));
    }

    /// Tells those who hear one of these topics and none of those.
    fn tell(&mut self, topics: &[String], but: &[String], text: &str) {
        for ear in &mut self.ears {
            let hears = self.world.hears(ear.person, &ear.rooms);
            let by: BTreeSet<String> =
                topics.iter().filter(|topic| hears.contains(*topic)).cloned().collect();
            if by.is_empty() {
                continue;
            }
            let was_kept_from = but.iter().any(|topic| hears.contains(topic));
            if ear.line.is_none() {
                let (text, but) = (text.to_owned(), but.to_vec());
                ear.missed.push(Missed { text, by, but, was_kept_from });
            } else if !was_kept_from {
                ear.due.push(Due { text: text.to_owned(), by, may_miss: false });
            }
        }
    }

    /// These lose the right to what is said in a group: what is on its way to them is dropped.
    fn lose(&mut self, group: usize, people: &[Person]) {
        let topic = format!("group/{group}");
        for ear in self.ears.iter_mut().filter(|ear| people.contains(&ear.person)) {
            for due in &mut ear.due {
                due.may_miss |= due.by.contains(&topic);
            }
        }
    }

    fn persons(&self, people: &[Person]) -> Vec<String> {
        people.iter().map(|person| self.world.person(*person)).collect()
    }

    fn joins_personal(&mut self, at: usize) {
        let person = self.ears[at].person;
        let other = self.chance.below(PEOPLE);
        if other != person && self.chance.below(4) == 0 {
            return self.asks(at, "joinRoom", &json!(self.id(other)), Some("FORBIDDEN"));
        }
        self.asks(at, "joinRoom", &json!(self.id(person)), None);
        self.ears[at].rooms.insert(Room::Personal);
    }

    /// A label that means something to somebody, or to nobody.
    fn a_label(&mut self, person: Person) -> String {
        let own = self.chance.below(4) > 0;
        let open: Vec<usize> = (0..self.world.groups.len())
            .filter(|group| self.world.groups[*group].is_open)
            .filter(|group| !own || self.world.seat(*group, person).is_some())
            .collect();
        match self.chance.below(8) {
            0..=1 => {
                let one = if own { person } else { self.chance.below(PEOPLE) };
                let two = self.chance.below(PEOPLE);
                let two = if one == two { (one + 1) % PEOPLE } else { two };
                self.world.label([one, two])
            }
            2 => {
                let bore = self.world.groups.iter().flat_map(|group| group.bore.clone());
                let old: Vec<String> = bore.map(|(label, _)| label).collect();
                self.chance.any(&old).unwrap_or_else(|| self.world.label([0, 1]))
            }
            3 => {
                let out = self.chance.below(PEOPLE);
                self.world.label((0..PEOPLE).filter(|person| *person != out))
            }
            _ => match self.chance.any(&open) {
                Some(group) => self.world.label_of(group),
                None => self.world.label([person, (person + 1) % PEOPLE]),
            },
        }
    }

    fn joins(&mut self, at: usize) {
        let person = self.ears[at].person;
        let label = self.a_label(person);
        let room = self.world.room(&label, person);
        let refusal = room.is_none().then_some("NOT_FOUND");
        self.asks(at, "chatRoom.join", &json!(label), refusal);
        room.into_iter().for_each(|room| World::enter(room, &mut self.ears[at].rooms));
    }

    fn leaves(&mut self, at: usize) {
        if self.chance.below(4) == 0 {
            let id = self.id(self.ears[at].person);
            self.asks(at, "leaveRoom", &json!(id), None);
            self.ears[at].rooms.remove(&Room::Personal);
            return;
        }
        let person = self.ears[at].person;
        let label = self.a_label(person);
        self.asks(at, "chatRoom.leave", &json!(label), None);
        let mut rooms = std::mem::take(&mut self.ears[at].rooms);
        self.world.leave(&label, person, &mut rooms);
        self.ears[at].rooms = rooms;
    }

    fn talks(&mut self, at: usize) {
        let person = self.ears[at].person;
        let label = self.a_label(person);
        self.texts += 1;
        let text = format!("text {}", self.texts);
        let room = self.world.room(&label, person);
        let refusal = room.is_none().then_some("NOT_FOUND");
        self.asks(at, "message", &json!({ "data": { "message": text, "roomID": label } }), refusal);
        let Some(room) = room else { return };
        let topic = World::topic(&room);
        let (label, members) = match room {
            Room::Seat(group, ..) => (self.world.label_of(group), self.world.members(group)),
            Room::Private(label) => (label.clone(), self.world.people(&label)),
            Room::Personal => return,
        };
        let (from, name) = (self.id(person), self.names[person].clone());
        let told = format!(
            r#"messageRoom {{"message":"{text}","from":"{from}","roomID":"{label}","fromUsername":"{name}","date":DATE}}"#
        );
        self.tell(std::slice::from_ref(&topic), &[], &told);
        let others: Vec<Person> = members.into_iter().filter(|other| *other != person).collect();
        let told = format!(r#"messagePage {{"roomID":"{label}","lastMessage":"{text}"}}"#);
        self.tell(&self.persons(&others), &[topic], &told);
        for other in others {
            let to = self.id(other);
            let told = format!(
                r#"messageResponseNotify {{"roomID":"{label}","fromUsername":"{name}","fromUserID":"{from}","userID":"{to}","lastMessage":"{text}","unreadUpdateStatus":true,"createRoomNotification":null}}"#
            );
            self.tell(&self.persons(&[other]), &[], &told);
        }
    }

    fn note(&self, event: &str, from: Person, to: Person, text: &str) -> String {
        format!("{event} {}", self.notification(from, &self.id(to), text, ""))
    }

    fn notification(&self, from: Person, to: &str, text: &str, more: &str) -> String {
        format!(
            r#"{{"id":N,"from":"{}","to":"{to}","type":"chatGroup","date":DATE,"message":"{text}","read":false{more}}}"#,
            self.id(from)
        )
    }

    /// What is told of somebody who came.
    fn came(&self, event: &str, (by, new): (Person, Person), before: &str, after: &str) -> String {
        let mut others = self.world.people(before);
        others.retain(|person| *person != by);
        let others: Vec<Value> = others
            .into_iter()
            .map(|person| json!({ "userID": self.id(person), "username": self.names[person] }))
            .collect();
        format!(
            r#"{event} {{"newUserID":"{}","newUsername":"{}","roomID":"{before}","newRoomID":"{after}","currentMember":{},"clientUsername":"{}","newUserPicturePath":"","online":false}}"#,
            self.id(new),
            self.names[new],
            json!(others),
            self.names[by]
        )
    }

    fn creates(&mut self, at: usize) {
        let by = self.ears[at].person;
        let [other, new] = [1, 2].map(|_| self.chance.below(PEOPLE));
        if by == other || by == new || other == new {
            return;
        }
        let before = self.world.label([by, other]);
        let after = self.world.label([by, other, new]);
        let refusal = self.world.live(&after).map(|_| "CONFLICT");
        let payload =
            json!({ "data": { "newUserID": self.id(new), "roomID": before, "newRoomID": after } });
        self.asks(at, "createUserGroup", &payload, refusal);
        if refusal.is_some() {
            return;
        }
        let name = &self.names[by];
        let to_new = format!("The client {name} has added you to the chat");
        let to_other = format!("The client {name} has added {} to the chat", self.names[new]);
        for (to, text) in [(new, to_new), (other, to_other)] {
            let told = self.note("createUserToGroupNotify", by, to, &text);
            self.tell(&self.persons(&[to]), &[], &told);
        }
        let told = self.came("createUserGroupChange", (by, new), &before, &after);
        self.tell(&self.persons(&[by, other, new]), &[], &told);
        let group = Group {
            seats: Vec::new(),
            creator: by,
            first: before,
            is_open: true,
            next: None,
            bore: Vec::new(),
            is_deleted: false,
            ever: BTreeSet::new(),
        };
        self.world.groups.push(group);
        let group = self.world.groups.len() - 1;
        [by, other, new].into_iter().for_each(|person| self.world.sits(group, person));
    }

    /// A group that somebody is in, and sometimes one that they are not in.
    fn a_group(&mut self, person: Person) -> Option<usize> {
        let is_in = self.chance.below(6) > 0;
        let groups: Vec<usize> = (0..self.world.groups.len())
            .filter(|group| self.world.groups[*group].is_open)
            .filter(|group| self.world.seat(*group, person).is_some() == is_in)
            .collect();
        self.chance.any(&groups)
    }

    fn adds(&mut self, at: usize) {
        let by = self.ears[at].person;
        let Some(group) = self.a_group(by) else { return };
        let new = self.chance.below(PEOPLE);
        // Whose seat ended here may be led here by rooms of before: a matter of its own.
        let grew = self
            .world
            .groups
            .iter()
            .any(|g| matches!(g.next, Some(Next::Group(next)) if next == group));
        if grew
            && self.world.groups[group].ever.contains(&new)
            && self.world.seat(group, new).is_none()
        {
            return;
        }
        let before = self.world.label_of(group);
        let members = self.world.members(group);
        let mut with = members.clone();
        with.push(new);
        with.sort_unstable();
        with.dedup();
        let after = self.world.label(with);
        let refusal = if !members.contains(&by) {
            Some("NOT_FOUND")
        } else if members.contains(&new) || self.world.live(&after).is_some() {
            Some("CONFLICT")
        } else {
            None
        };
        let payload =
            json!({ "data": { "newUserID": self.id(new), "roomID": before, "newRoomID": after } });
        // Who is in none of that name may have been there under it.
        if !members.contains(&by) && self.world.room(&before, by).is_some() {
            return;
        }
        self.asks(at, "addUserToGroup", &payload, refusal);
        if refusal.is_some() {
            return;
        }
        let name = &self.names[by];
        let to_new = format!("You've been added to the group by {name}");
        let to_others = format!("{} has been added to the group by {name}", self.names[new]);
        let told = self.note("addUserToGroupNotify", by, new, &to_new);
        self.tell(&self.persons(&[new]), &[], &told);
        for other in members.iter().copied().filter(|other| *other != by) {
            let told = self.note("addUserToGroupNotify", by, other, &to_others);
            self.tell(&self.persons(&[other]), &[], &told);
        }
        let told = self.came("addUserToGroupChange", (by, new), &before, &after);
        let all: Vec<Person> = members.into_iter().chain([new]).collect();
        self.tell(&self.persons(&all), &[], &told);
        let told = format!(r#"addUserToGroupChangeInRoom "{after}""#);
        self.tell(&[format!("group/{group}")], &[], &told);
        self.world.bore(group, before);
        self.world.sits(group, new);
    }

    fn kicks(&mut self, at: usize) {
        let by = self.ears[at].person;
        let Some(group) = self.a_group(by) else { return };
        let (label, members) = (self.world.label_of(group), self.world.members(group));
        let kicked = if self.chance.below(3) == 0 { by } else { self.chance.below(PEOPLE) };
        let stay: Vec<Person> = members.iter().copied().filter(|other| *other != kicked).collect();
        let after = self.world.label(stay.clone());
        let live = self.world.live(&after);
        let refusal = if !members.contains(&by) {
            if self.world.room(&label, by).is_some() {
                return;
            }
            Some("NOT_FOUND")
        } else if kicked != by && self.world.groups[group].creator != by {
            Some("FORBIDDEN")
        } else if !members.contains(&kicked) {
            Some("NOT_FOUND")
        } else if stay.len() > 2 && live.is_some() && kicked != by {
            Some("CONFLICT")
        } else {
            None
        };
        let payload =
            json!({ "roomID": label, "newRoomID": after, "kickedUserID": self.id(kicked) });
        self.asks(at, "kickUserFromGroup", &payload, refusal);
        if refusal.is_some() {
            return;
        }
        let id = self.id(kicked);
        if kicked != by {
            let text = "You've been removed from the group";
            let told = format!(
                r#"kickUserFromGroupNotify {{"roomID":"{label}","newRoomID":"{after}","kickedUserID":"{id}","notification":{}}}"#,
                self.notification(by, &id, text, "")
            );
            self.tell(&self.persons(&[kicked]), &[], &told);
        }
        let told = format!(
            r#"kickUserFromGroupChange {{"roomID":"{label}","newRoomID":"{after}","kickedUsername":"{}","kickedUserID":"{id}"}}"#,
            self.names[kicked]
        );
        self.tell(&self.persons(&stay), &[], &told);
        let told = format!(
            r#"kickUserFromGroupChangeInRoom {{"firstRoomID":"{}","kickedUserID":"{id}","newRoomID":"{after}"}}"#,
            self.world.groups[group].first
        );
        let seat = self.world.seat(group, kicked).expect("they are in it");
        self.lose(group, &[kicked]);
        self.tell(&[format!("group/{group}"), format!("seat/{seat}")], &[], &told);
        let next = match live {
            _ if stay.len() == 2 => Some(Next::Private(after)),
            live => live.map(Next::Group),
        };
        self.world.parts(group, kicked, next);
    }

    fn deletes(&mut self, at: usize) {
        let by = self.ears[at].person;
        let Some(group) = self.a_group(by) else { return };
        let (label, members) = (self.world.label_of(group), self.world.members(group));
        let refusal = if !members.contains(&by) {
            if self.world.room(&label, by).is_some() {
                return;
            }
            Some("NOT_FOUND")
        } else {
            (self.world.groups[group].creator != by).then_some("FORBIDDEN")
        };
        self.asks(at, "deleteUserRoom", &json!({ "roomID": label }), refusal);
        if refusal.is_some() {
            return;
        }
        let text = format!("The room has been deleted by {}", self.names[by]);
        let more = format!(r#","roomID":"{label}""#);
        let told = format!("deleteUserRoomNotify {}", self.notification(by, "room", &text, &more));
        self.tell(&self.persons(&members), &[], &told);
        let told = format!(r#"deleteUserRoomChange {{"roomID":"{label}"}}"#);
        self.tell(&self.persons(&members), &[], &told);
        self.lose(group, &members);
        self.world.bore(group, label);
        let group = &mut self.world.groups[group];
        group.is_deleted = true;
        group.seats.clear();
        group.is_open = false;
    }

    /// Everybody who is there was told what is due, and nothing else.
    #[track_caller]
    pub fn check(&mut self) {
        let fences: Vec<Option<u64>> =
            self.ears.iter_mut().map(|ear| ear.line.as_mut().map(Line::fence)).collect();
        for (at, (ear, fence)) in self.ears.iter_mut().zip(fences).enumerate() {
            let (Some(line), Some(fence)) = (&mut ear.line, fence) else { continue };
            let told = line.upto(fence);
            let mut rest = told.iter().peekable();
            let why = |what: &str| {
                let due: Vec<&str> = ear.due.iter().map(|due| &*due.text).collect();
                let (due, told) = (due.join("\n  "), told.join("\n  "));
                let history = self.history.join("\n");
                format!("{history}\n{at} {what}; due:\n  {due}\ntold:\n  {told}")
            };
            for due in &ear.due {
                if rest.peek() == Some(&&due.text) {
                    rest.next();
                    self.heard += 1;
                } else {
                    assert!(due.may_miss, "{}", why(&format!("misses {}", due.text)));
                }
            }
            assert!(rest.next().is_none(), "{}", why("hears too much"));
            ear.due.clear();
        }
    }
}

/// A number that no other run has.
fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    // An atomic: runs side by side each take the next.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed)
}
