//! What is true: who is in which conversation, and which connection hears which topics by that. Nothing here asks the
//! server anything.

use std::collections::BTreeSet;

/// A person, by their place among those of a run.
pub type Person = usize;

/// Where a closed group goes on.
#[derive(Debug, Clone)]
pub enum Next {
    /// In the private room with this label.
    Private(String),
    /// In another group.
    Group(usize),
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Who is in it and by which seat, in the order in which they came.
    pub seats: Vec<(Person, u64)>,
    /// Who may kick and delete.
    pub creator: Person,
    /// The private room that it grew from.
    pub first: String,
    /// Whether anything can be said there.
    pub is_open: bool,
    /// Where it goes on.
    pub next: Option<Next>,
    /// The labels that it bore before, each with the number of the change by which it got another, or none.
    pub bore: Vec<(String, u64)>,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// Who was ever in it.
    pub ever: BTreeSet<Person>,
}

/// What a connection has entered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Its personal room.
    Personal,
    /// A private one, by its label.
    Private(String),
    /// A group, by its seat there, after so many changes; if that was by a label of before, after none.
    Seat(usize, u64, u64),
}

/// Everything that is true.
#[derive(Debug, Default)]
pub struct World {
    /// The ids of those who take part, in the order of their numbers.
    pub ids: Vec<usize>,
    /// All groups that there ever were.
    pub groups: Vec<Group>,
    seats: u64,
    changes: u64,
}

impl World {
    /// The label of these.
    pub fn label(&self, people: impl IntoIterator<Item = Person>) -> String {
        let mut ids: Vec<usize> = people.into_iter().map(|person| self.ids[person]).collect();
        ids.sort_unstable();
        ids.iter().map(usize::to_string).collect::<Vec<_>>().join(":")
    }

    /// The topic of what is for somebody.
    pub fn person(&self, person: Person) -> String {
        format!("person/{}", self.ids[person])
    }

    /// The people of a label.
    pub fn people(&self, label: &str) -> Vec<Person> {
        let place = |id: &str| self.ids.iter().position(|known| known.to_string() == id);
        label.split(':').map(|id| place(id).expect("labels are of people")).collect()
    }

    /// Who is in a group.
    pub fn members(&self, group: usize) -> Vec<Person> {
        self.groups[group].seats.iter().map(|(person, _)| *person).collect()
    }

    /// The label of a group.
    pub fn label_of(&self, group: usize) -> String {
        self.label(self.members(group))
    }

    /// The seat of somebody in a group.
    pub fn seat(&self, group: usize, person: Person) -> Option<u64> {
        self.groups[group].seats.iter().find(|(other, _)| *other == person).map(|(_, seat)| *seat)
    }

    /// A new seat.
    pub fn sits(&mut self, group: usize, person: Person) {
        self.seats += 1;
        self.groups[group].seats.push((person, self.seats));
        self.groups[group].ever.insert(person);
    }

    /// The open group with this label.
    pub fn live(&self, label: &str) -> Option<usize> {
        (0..self.groups.len()).find(|&at| self.groups[at].is_open && self.label_of(at) == label)
    }

    /// Where a group goes on for somebody: itself if it is open; `None` if nowhere.
    pub fn goes_on(&self, group: usize, person: Person) -> Option<Room> {
        let mut at = group;
        loop {
            let seat = self.seat(at, person)?;
            match &self.groups[at].next {
                _ if self.groups[at].is_open => return Some(Room::Seat(at, seat, 0)),
                Some(Next::Group(next)) => at = *next,
                Some(Next::Private(label)) => return Some(Room::Private(label.clone())),
                None => return None,
            }
        }
    }

    /// The room to which a label leads somebody.
    pub fn room(&self, label: &str, person: Person) -> Option<Room> {
        let people = self.people(label);
        if people.len() == 2 {
            return people.contains(&person).then(|| Room::Private(label.to_owned()));
        }
        if let Some(group) = self.live(label)
            && let Some(seat) = self.seat(group, person)
        {
            return Some(Room::Seat(group, seat, self.changes));
        }
        // Else to that which bore it last of those in which they are or were, unless one was deleted that bore it later.
        let bore = |at: usize| {
            let all = self.groups[at].bore.iter().filter(|(old, _)| old == label);
            all.map(|(_, change)| *change).max()
        };
        let bore = (0..self.groups.len()).filter_map(|at| Some((bore(at)?, at)));
        let was_deleted = |(_, at): &(u64, usize)| self.groups[*at].is_deleted;
        let deleted = bore.clone().filter(was_deleted).max();
        let meant = bore.filter(|(_, at)| self.groups[*at].ever.contains(&person)).max();
        let meant = meant.filter(|meant| Some(*meant) > deleted);
        meant.and_then(|(_, at)| self.goes_on(at, person))
    }

    /// The topic of what is said in a room.
    pub fn topic(room: &Room) -> String {
        match room {
            Room::Personal => panic!("nobody talks there"),
            Room::Private(label) => format!("private/{label}"),
            Room::Seat(group, ..) => format!("group/{group}"),
        }
    }

    /// The topics that somebody's connection hears by what it has entered.
    pub fn hears(&self, person: Person, rooms: &BTreeSet<Room>) -> BTreeSet<String> {
        let mut topics = BTreeSet::new();
        for room in rooms {
            match room {
                Room::Personal => drop(topics.insert(self.person(person))),
                Room::Private(_) => drop(topics.insert(World::topic(room))),
                Room::Seat(group, seat, _) => {
                    let is_present = self.seat(*group, person) == Some(*seat);
                    if let Some(next) = self.goes_on(*group, person).filter(|_| is_present) {
                        topics.extend([format!("group/{group}"), format!("seat/{seat}")]);
                        topics.insert(World::topic(&next));
                    }
                }
            }
        }
        topics
    }

    /// A connection enters a room. What it is in by a label of now it is not in by one of before.
    pub fn enter(room: Room, rooms: &mut BTreeSet<Room>) {
        if let Room::Seat(_, seat, 1..) = room {
            rooms.retain(|other| !matches!(other, Room::Seat(_, known, _) if *known == seat));
        }
        rooms.insert(room);
    }

    /// The rooms that somebody's connection is not in any more after it left what bears this label: a room of theirs, or
    /// what they know by it.
    pub fn leave(&self, label: &str, person: Person, rooms: &mut BTreeSet<Room>) {
        let live = self.live(label).filter(|group| self.seat(*group, person).is_some());
        rooms.retain(|room| match room {
            Room::Personal => true,
            Room::Private(private) => private != label,
            Room::Seat(group, _, changes) => !self.knows(label, live, *group, *changes),
        });
    }

    /// Whether who is in a group since that change knows it, or where it goes on, by this label.
    fn knows(&self, label: &str, live: Option<usize>, group: usize, since: u64) -> bool {
        let (mut at, mut since) = (group, since);
        loop {
            let Group { bore, next, .. } = &self.groups[at];
            let bore_it = bore.iter().any(|(old, change)| old == label && *change > since);
            if live.map_or(bore_it, |live| live == at) {
                return true;
            }
            match next {
                Some(Next::Group(next)) => at = *next,
                Some(Next::Private(private)) => return private == label,
                None => return false,
            }
            since = bore.last().map_or(0, |(_, change)| *change);
        }
    }

    /// A group is called something else from now on, or is none.
    pub fn bore(&mut self, group: usize, label: String) {
        self.changes += 1;
        self.groups[group].bore.push((label, self.changes));
    }

    /// Somebody's seat ends; the group goes on by itself, or in `next`.
    pub fn parts(&mut self, group: usize, person: Person, next: Option<Next>) {
        let label = self.label_of(group);
        self.bore(group, label);
        let it = &mut self.groups[group];
        it.seats.retain(|(other, _)| *other != person);
        if it.creator == person {
            it.creator = it.seats.first().map_or(person, |(longest, _)| *longest);
        }
        it.is_open = next.is_none();
        it.next = next;
    }
}
