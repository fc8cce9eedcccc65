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
    /// The labels that it bore before.
    pub bore: Vec<String>,
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
    /// A group, by its seat there.
    Seat(usize, u64),
}

/// Everything that is true.
#[derive(Debug, Default)]
pub struct World {
    /// The ids of those who take part, in the order of their numbers.
    pub ids: Vec<usize>,
    /// All groups that there ever were.
    pub groups: Vec<Group>,
    seats: u64,
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
                _ if self.groups[at].is_open => return Some(Room::Seat(at, seat)),
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
            return Some(Room::Seat(group, seat));
        }
        let bore = |at: &usize| self.groups[*at].bore.iter().any(|old| old == label);
        let mut lead = (0..self.groups.len()).rev().filter(bore);
        lead.find_map(|at| self.goes_on(at, person))
    }

    /// How many ways a label of before may lead somebody: where it is more than one, who asks may be led either way.
    pub fn ways(&self, label: &str, person: Person) -> usize {
        let bore = |at: &usize| self.groups[*at].bore.iter().any(|old| old == label);
        (0..self.groups.len()).filter(bore).filter(|at| self.goes_on(*at, person).is_some()).count()
    }

    /// The topic of what is said in a room.
    pub fn topic(room: &Room) -> String {
        match room {
            Room::Personal => panic!("nobody talks there"),
            Room::Private(label) => format!("private/{label}"),
            Room::Seat(group, _) => format!("group/{group}"),
        }
    }

    /// The topics that somebody's connection hears by what it has entered.
    pub fn hears(&self, person: Person, rooms: &BTreeSet<Room>) -> BTreeSet<String> {
        let mut topics = BTreeSet::new();
        for room in rooms {
            match room {
                Room::Personal => drop(topics.insert(self.person(person))),
                Room::Private(_) => drop(topics.insert(World::topic(room))),
                Room::Seat(group, seat) => {
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

    /// The rooms that somebody's connection is not in any more after it left what bears this label.
    pub fn leave(&self, label: &str, rooms: &mut BTreeSet<Room>) {
        let live = self.live(label);
        let leads_here = |group: usize| match &self.groups[group].next {
            Some(Next::Private(private)) => private == label,
            Some(Next::Group(next)) => live == Some(*next),
            None => false,
        };
        rooms.retain(|room| match room {
            Room::Personal => true,
            Room::Private(private) => private != label,
            Room::Seat(group, _) => {
                let bears =
                    live == Some(*group) || self.groups[*group].bore.iter().any(|b| b == label);
                !bears && !leads_here(*group)
            }
        });
    }

    /// Somebody's seat ends; the group goes on by itself, or in `next`.
    pub fn parts(&mut self, group: usize, person: Person, next: Option<Next>) {
        let label = self.label_of(group);
        let it = &mut self.groups[group];
        it.bore.push(label);
        it.seats.retain(|(other, _)| *other != person);
        if it.creator == person {
            it.creator = it.seats.first().map_or(person, |(longest, _)| *longest);
        }
        it.is_open = next.is_none();
        it.next = next;
    }
}
