//! What each call makes of rooms, and what is told of that.

use super::*;

impl Model {
    fn sit(&mut self, room: usize, user: i64) {
        self.seats += 1;
        let said = self.rooms[room].said.len();
        let seat = Seat { user, seat: self.seats, first: said, read: said };
        self.rooms[room].members.push(seat);
        self.rooms[room].ever.insert(user);
        self.seats_ever.push((user, self.seats));
    }

    fn begin(&mut self, label: &str, group: Option<(i64, String)>, members: &[i64]) -> usize {
        self.activity += 1;
        let (creator, first) = group.clone().unzip();
        self.rooms.push(Room {
            group: group.is_some(),
            open: true,
            deleted: None,
            members: Vec::new(),
            ever: BTreeSet::new(),
            label: label.into(),
            first: first.unwrap_or_default(),
            creator,
            said: Vec::new(),
            activity: self.activity,
            bore: Vec::new(),
            successor: None,
        });
        let room = self.rooms.len() - 1;
        members.iter().for_each(|user| self.sit(room, *user));
        room
    }

    fn private(&mut self, label: &str) -> usize {
        let members = ids(label).expect("a label");
        self.live(label).unwrap_or_else(|| self.begin(label, None, &members))
    }

    /// A notification to each of these, in these words.
    fn notify(&mut self, from: i64, to: &[i64], message: &str) -> Vec<(Vec<String>, Json)> {
        let each =
            to.iter().map(|user| (vec![person(*user)], self.notification(from, *user, message)));
        each.collect()
    }

    fn notification(&mut self, from: i64, to: i64, message: &str) -> Json {
        self.notifications += 1;
        json!({ "id": self.notifications, "from": from.to_string(), "to": to.to_string(), "type": "chatGroup",
                "message": message, "read": false })
    }

    /// `message`.
    pub fn say(
        &mut self,
        user: i64,
        label: &str,
        text: &str,
        client: Option<&str>,
    ) -> Result<Came, Refused> {
        ids(label).ok_or("INVALID_ROOM")?;
        let leads = self.leads(user, label);
        let there = leads.as_ref().ok().and_then(|leads| match leads {
            Leads::Private(label) => self.live(label),
            Leads::Group(room) => Some(*room),
        });
        for (place, room) in self.rooms.iter().enumerate().filter(|_| client.is_some()) {
            for said in room.said.iter().filter(|said| said.sender == user) {
                let sent = said.client.as_ref().filter(|(id, _)| Some(&**id) == client);
                let Some((_, sent_to)) = sent else { continue };
                if said.text != text || (there != Some(place) && sent_to != label) {
                    return Err("CONFLICT");
                }
                // Who is not in it any more is told no more than they said.
                let known = if room.has(user) { &*room.label } else { label };
                let reply = json!({ "messageID": said.id, "roomID": known });
                return Ok(Came { reply, ..Came::default() });
            }
        }
        let room = match leads? {
            Leads::Group(room) => room,
            Leads::Private(label) => {
                if ids(&label).expect("a label").iter().any(|id| !self.users.contains_key(id)) {
                    return Err("NOT_FOUND");
                }
                self.private(&label)
            }
        };
        (self.activity, self.messages) = (self.activity + 1, self.messages + 1);
        let (id, name, activity) = (self.messages, self.users[&user], self.activity);
        let client = client.map(|client| (client.to_owned(), label.to_owned()));
        let found = &mut self.rooms[room];
        found.activity = activity;
        found.said.push(Said { id, sender: user, name, text: text.into(), client });
        let count = found.said.len();
        found
            .members
            .iter_mut()
            .filter(|seat| seat.user == user)
            .for_each(|seat| seat.read = count);
        let label = found.label.clone();
        let others: Vec<String> =
            found.users().into_iter().filter(|id| *id != user).map(person).collect();
        let topic = self.topic(room);
        let mut page =
            told("messagePage", others.clone(), json!({ "roomID": label, "lastMessage": text }));
        page.except.push(topic.clone());
        let said = json!({ "message": text, "from": user.to_string(), "roomID": label, "fromUsername": name });
        let notify = json!({ "roomID": label, "fromUsername": name, "fromUserID": user.to_string(), "userID": "",
                             "lastMessage": text, "unreadUpdateStatus": true, "createRoomNotification": null });
        Ok(Came {
            told: vec![
                told("messageRoom", vec![topic], said),
                page,
                told("messageResponseNotify", others, notify),
            ],
            effects: Vec::new(),
            reply: json!({ "messageID": id, "roomID": label }),
        })
    }

    /// Messages of a user that bear an id of theirs: a label, the text and the id.
    pub fn may_send_again(&self, user: i64) -> Vec<(String, String, Option<String>)> {
        let mut all = Vec::new();
        for room in &self.rooms {
            for said in room.said.iter().filter(|said| said.sender == user) {
                let Some((id, sent_to)) = &said.client else { continue };
                let labels = [sent_to, &room.label].map(String::clone);
                all.extend(labels.map(|label| (label, said.text.clone(), Some(id.clone()))));
            }
        }
        all
    }

    fn came(&self, by: i64, new: i64, before: &str, after: &str) -> Json {
        let others = ids(before).expect("a label").into_iter().filter(|id| *id != by);
        json!({ "newUserID": new.to_string(), "newUsername": self.users[&new], "roomID": before, "newRoomID": after,
                "currentMember": others.map(|id| self.member(id)).collect::<Vec<_>>(),
                "clientUsername": self.users[&by], "newUserPicturePath": "", "online": false })
    }

    /// `createUserGroup`.
    pub fn create(
        &mut self,
        user: i64,
        label: &str,
        new: i64,
        wanted: &str,
    ) -> Result<Came, Refused> {
        let Leads::Private(before) = self.leads(user, label)? else { return Err("INVALID_ROOM") };
        let mut members = ids(&before).expect("a label");
        if members.iter().chain([&new]).any(|id| !self.users.contains_key(id)) {
            return Err("NOT_FOUND");
        }
        let other = members[usize::from(members[0] == user)];
        if members.contains(&new) {
            return Err("CONFLICT");
        }
        members.push(new);
        let after = label_of(&members);
        if wanted != after {
            return Err("INVALID_ROOM");
        }
        if self.live(&after).is_some() {
            return Err("CONFLICT");
        }
        self.private(&before);
        self.begin(&after, Some((user, before.clone())), &[user, other, new]);
        let (by, name) = (self.users[&user], self.users[&new]);
        let mut variants =
            self.notify(user, &[new], &format!("The client {by} has added you to the chat"));
        variants.extend(self.notify(
            user,
            &[other],
            &format!("The client {by} has added {name} to the chat"),
        ));
        let mut told =
            vec![Told { name: "createUserToGroupNotify".into(), except: Vec::new(), variants }];
        told.extend(inboxes(&[new]));
        told.extend(inboxes(&[other]));
        let all = ids(&after).expect("a label").into_iter().map(person).collect();
        told.push(self::told("createUserGroupChange", all, self.came(user, new, &before, &after)));
        Ok(Came { told, ..Came::default() })
    }

    /// `addUserToGroup`.
    pub fn add(&mut self, user: i64, label: &str, new: i64, wanted: &str) -> Result<Came, Refused> {
        let Leads::Group(room) = self.leads(user, label)? else { return Err("INVALID_ROOM") };
        let name = *self.users.get(&new).ok_or("NOT_FOUND")?;
        if self.rooms[room].has(new) {
            return Err("CONFLICT");
        }
        let (before, mut members) = (self.rooms[room].label.clone(), self.rooms[room].users());
        let others: Vec<i64> = members.iter().copied().filter(|id| *id != user).collect();
        members.push(new);
        let after = label_of(&members);
        if wanted != after {
            return Err("INVALID_ROOM");
        }
        if self.live(&after).is_some() {
            return Err("CONFLICT");
        }
        self.bore(room);
        self.rooms[room].label.clone_from(&after);
        self.sit(room, new);
        let by = self.users[&user];
        let mut variants =
            self.notify(user, &[new], &format!("You've been added to the group by {by}"));
        variants.extend(self.notify(
            user,
            &others,
            &format!("{name} has been added to the group by {by}"),
        ));
        let mut told =
            vec![Told { name: "addUserToGroupNotify".into(), except: Vec::new(), variants }];
        told.extend(inboxes(&[new]));
        told.extend(inboxes(&others));
        let all = ids(&after).expect("a label").into_iter().map(person).collect();
        told.push(self::told("addUserToGroupChange", all, self.came(user, new, &before, &after)));
        told.push(self::told("addUserToGroupChangeInRoom", vec![self.topic(room)], json!(after)));
        Ok(Came { told, ..Came::default() })
    }

    fn bore(&mut self, room: usize) {
        let (now, label) = (self.now, self.rooms[room].label.clone());
        self.changes += 1;
        self.rooms[room].bore.push((label, now, self.changes));
    }

    fn group(&self, user: i64, label: &str) -> Result<usize, Refused> {
        match self.leads(user, label) {
            Ok(Leads::Group(room)) => Ok(room),
            Ok(Leads::Private(_)) => Err("INVALID_ROOM"),
            Err("NOT_FOUND") if user == 9 => {
                self.live(label).filter(|room| self.rooms[*room].group).ok_or("NOT_FOUND")
            }
            Err(why) => Err(why),
        }
    }

    /// `kickUserFromGroup`.
    pub fn kick(
        &mut self,
        user: i64,
        label: &str,
        kicked: i64,
        wanted: &str,
    ) -> Result<Came, Refused> {
        let room = self.group(user, label)?;
        if kicked != user && user != 9 && self.rooms[room].creator != Some(user) {
            return Err("FORBIDDEN");
        }
        if !self.rooms[room].has(kicked) {
            return Err("NOT_FOUND");
        }
        let stay: Vec<i64> =
            self.rooms[room].users().into_iter().filter(|id| *id != kicked).collect();
        let after = label_of(&stay);
        if wanted != after {
            return Err("INVALID_ROOM");
        }
        if stay.len() > 2 && kicked != user && self.live(&after).is_some() {
            return Err("CONFLICT");
        }
        let mut told = Vec::new();
        if kicked != user {
            // The private room of the two who are left begins first.
            if stay.len() == 2 {
                self.private(&after);
            }
            let notification =
                self.notification(user, kicked, "You've been removed from the group");
            let payload = json!({ "roomID": self.rooms[room].label, "newRoomID": after,
                                  "kickedUserID": kicked.to_string(), "notification": notification });
            told.push(self::told("kickUserFromGroupNotify", vec![person(kicked)], payload));
            told.extend(inboxes(&[kicked]));
        }
        let name = self.users[&kicked];
        Ok(self.part(room, kicked, name, told))
    }

    /// Somebody is no longer in a group.
    fn part(&mut self, room: usize, user: i64, name: &str, mut told: Vec<Told>) -> Came {
        let stay: Vec<i64> =
            self.rooms[room].users().into_iter().filter(|id| *id != user).collect();
        let (before, after) = (self.rooms[room].label.clone(), label_of(&stay));
        let successor =
            if stay.len() == 2 { Some(self.private(&after)) } else { self.live(&after) };
        let seat = self.rooms[room].seat(user).expect("they are in it").seat;
        self.bore(room);
        let found = &mut self.rooms[room];
        found.members.retain(|seat| seat.user != user);
        if found.creator == Some(user) {
            found.creator = found.members.first().map(|seat| seat.user);
        }
        if successor.is_none() {
            found.label.clone_from(&after);
        }
        let first = found.first.clone();
        let change = json!({ "roomID": before, "newRoomID": after, "kickedUsername": name, "kickedUserID": user.to_string() });
        told.push(self::told(
            "kickUserFromGroupChange",
            stay.iter().map(|id| person(*id)).collect(),
            change,
        ));
        let topic = self.topic(room);
        let mut there = vec![topic.clone(), format!("seat/{seat}")];
        there.extend(self.seats_before(room, user));
        let in_room =
            json!({ "firstRoomID": first, "kickedUserID": user.to_string(), "newRoomID": after });
        told.push(self::told("kickUserFromGroupChangeInRoom", there, in_room));
        let mut effects = vec![format!("evict user/{user} {topic}")];
        if let Some(next) = successor {
            let to = self.topic(next);
            effects.extend(stay.iter().map(|id| format!("move user/{id} {topic} {to}")));
            self.seats += 1;
            let offset = self.head + told.len() as u64;
            let found = &mut self.rooms[room];
            (found.open, found.successor) = (false, Some((next, offset, self.seats)));
        }
        Came { told, effects, reply: Json::Null }
    }

    /// The seats that a user has in groups that went on in this one, the newest first.
    fn seats_before(&self, room: usize, user: i64) -> Vec<String> {
        let (mut topics, mut rooms) = (Vec::new(), vec![room]);
        while let Some(room) = rooms.pop() {
            let led_here = |before: &&usize| {
                self.rooms[**before].successor.is_some_and(|(next, ..)| next == room)
            };
            let places: Vec<usize> = (0..self.rooms.len()).collect();
            let before = places.iter().filter(led_here);
            let mut seats: Vec<(i64, usize)> = before
                .filter_map(|before| Some((self.rooms[*before].seat(user)?.seat, *before)))
                .collect();
            seats.sort_unstable_by(|one, other| other.cmp(one));
            topics.extend(seats.iter().map(|(seat, _)| format!("seat/{seat}")));
            rooms.extend(seats.into_iter().map(|(_, before)| before));
        }
        topics
    }

    /// `deleteUserRoom`.
    pub fn delete(&mut self, user: i64, label: &str) -> Result<Came, Refused> {
        let named = ids(label).ok_or("INVALID_ROOM")?;
        if named.len() == 2 && named.contains(&user) {
            return Err("FORBIDDEN");
        }
        let room = self.group(user, label)?;
        if user != 9 && self.rooms[room].creator != Some(user) {
            return Err("FORBIDDEN");
        }
        self.bore(room);
        let (label, members) = (self.rooms[room].label.clone(), self.rooms[room].users());
        let message = format!("The room has been deleted by {}", self.users[&user]);
        let mut variants = self.notify(user, &members, &message);
        for (_, payload) in &mut variants {
            (payload["to"], payload["roomID"]) = (json!("room"), json!(label));
        }
        let found = &mut self.rooms[room];
        (found.open, found.deleted) = (false, Some(self.now));
        found.members.clear();
        let all: Vec<String> = members.iter().map(|id| person(*id)).collect();
        let mut told =
            vec![Told { name: "deleteUserRoomNotify".into(), except: Vec::new(), variants }];
        told.extend(inboxes(&members));
        told.push(self::told("deleteUserRoomChange", all, json!({ "roomID": label })));
        Ok(Came { told, ..Came::default() })
    }

    /// `chat.open` with these others, each once.
    pub fn open(&mut self, user: i64, others: &[i64]) -> Result<Came, Refused> {
        let (Some(first), Some(new)) = (others.first(), others.last()) else {
            return Err("INVALID");
        };
        if others.iter().any(|id| !self.users.contains_key(id)) {
            return Err("INVALID");
        }
        let members: Vec<i64> = [user].into_iter().chain(others.iter().copied()).collect();
        let label = label_of(&members);
        let reply = json!({ "roomID": label });
        if others.len() == 1 {
            self.private(&label);
            return Ok(Came { reply, ..Came::default() });
        }
        if self.live(&label).is_some() {
            return Err("CONFLICT");
        }
        self.begin(&label, Some((user, label_of(&[user, *first]))), &members);
        let by = self.users[&user];
        let variants =
            self.notify(user, others, &format!("The client {by} has added you to the chat"));
        let mut told =
            vec![Told { name: "createUserToGroupNotify".into(), except: Vec::new(), variants }];
        told.extend(inboxes(others));
        let all = ids(&label).expect("a label").into_iter().map(person).collect();
        let before = label_of(&members[..members.len() - 1]);
        told.push(self::told("createUserGroupChange", all, self.came(user, *new, &before, &label)));
        Ok(Came { told, effects: Vec::new(), reply })
    }

    /// `chat.read`.
    pub fn read(&mut self, user: i64, label: &str) -> Result<Came, Refused> {
        let room = self.readable(user, label)?;
        let found = &mut self.rooms[room];
        let count = found.said.len();
        found
            .members
            .iter_mut()
            .filter(|seat| seat.user == user)
            .for_each(|seat| seat.read = count);
        Ok(Came { reply: json!({ "unread": 0 }), ..Came::default() })
    }

    /// A user is no more: they leave their rooms, the oldest seat first, each in a transaction of its own.
    pub fn depart(&mut self, user: i64) -> Vec<Came> {
        let name = self.users.remove(&user).expect("they are there");
        self.seats += 1;
        let mut all = Vec::new();
        loop {
            let seats = self.rooms.iter().enumerate().filter(|(_, room)| room.open);
            let seats = seats.filter_map(|(place, room)| Some((room.seat(user)?.seat, place)));
            let Some((_, room)) = seats.min() else { break };
            if self.rooms[room].group {
                let came = self.part(room, user, name, Vec::new());
                self.head += came.told.len() as u64;
                all.push(came);
            } else {
                self.rooms[room].open = false;
                self.rooms[room].members.retain(|seat| seat.user != user);
                self.seats += 1;
            }
        }
        for room in &mut self.rooms {
            room.members.retain(|seat| seat.user != user);
        }
        all
    }
}
