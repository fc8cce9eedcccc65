//! What must become of stations, batteries and bookings, by the words of docs/protocol.md and with nothing of the
//! service's own.

use std::collections::BTreeMap;

use super::{
    BatteryRow, BookingRow, EVE, JANE, JOHN, Json, MINUTE, Micros, ROOT, Rows, STAN, START, USERS,
    json,
};

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    User(i64),
    Operator,
    Guest,
    /// A board whose token has the scope of staff.
    Board,
    /// A paired screen.
    Screen,
}

/// A refusal, by its code.
pub type Refused = &'static str;

/// What came of a call that was heard: the reply, as far as it counts, and a line for each event.
pub type Came = Result<(Json, Vec<String>), Refused>;

#[derive(Debug, Clone)]
pub struct Battery {
    pub at: Option<i64>,
    pub is_booked: bool,
    name: String,
    model: String,
}

#[derive(Debug, Clone)]
pub struct Booking {
    pub user: i64,
    pub station: i64,
    pub battery: i64,
    pub status: &'static str,
    created_at: Micros,
    pub expires_at: Micros,
    ended_at: Option<Micros>,
}

impl Booking {
    pub fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// All of it.
#[derive(Debug)]
pub struct Model {
    pub now: Micros,
    pub hold: Micros,
    pub bookings_per_user: usize,
    /// What staff and others are told of each.
    pub users: BTreeMap<i64, (String, String)>,
    pub next_user: i64,
    /// The name and the status.
    pub stations: BTreeMap<i64, (String, String)>,
    pub next_station: i64,
    pub batteries: BTreeMap<i64, Battery>,
    next_battery: i64,
    pub bookings: BTreeMap<i64, Booking>,
    pub next_booking: i64,
    /// The messages of each inbox, the oldest first.
    pub inboxes: BTreeMap<i64, Vec<String>>,
}

impl Model {
    pub fn new() -> Model {
        let shown = [
            (ROOT, "r***@example.com"),
            (JOHN, "u***@example.com"),
            (JANE, "j***"),
            (STAN, "s***@example.com"),
            (EVE, "\u{e9}***@example.com"),
        ];
        let users = shown.into_iter().zip(USERS).map(|((id, masked), (name, email))| {
            (id, (email.unwrap_or(name).to_owned(), masked.to_owned()))
        });
        Model {
            now: START,
            hold: 30 * MINUTE,
            bookings_per_user: 20,
            users: users.collect(),
            next_user: 6,
            stations: BTreeMap::new(),
            next_station: 1,
            batteries: BTreeMap::new(),
            next_battery: 1,
            bookings: BTreeMap::new(),
            next_booking: 1,
            inboxes: BTreeMap::new(),
        }
    }

    fn is_staff(&self, who: Who) -> bool {
        matches!(who, Who::Operator | Who::Board | Who::User(ROOT | STAN))
    }

    fn bearer(&self, who: Who) -> Result<(), Refused> {
        if who == Who::Guest { Err("UNAUTHENTICATED") } else { Ok(()) }
    }

    fn staff(&self, who: Who) -> Result<(), Refused> {
        self.bearer(who)?;
        if self.is_staff(who) { Ok(()) } else { Err("FORBIDDEN") }
    }

    fn admin(&self, who: Who) -> Result<(), Refused> {
        self.bearer(who)?;
        if matches!(who, Who::Operator | Who::User(ROOT)) { Ok(()) } else { Err("FORBIDDEN") }
    }

    fn station(&self, id: i64) -> Result<(String, String), Refused> {
        self.stations.get(&id).cloned().ok_or("NOT_FOUND")
    }

    /// How many batteries of a station are available, and how many are booked.
    pub fn counts(&self, station: i64) -> (usize, usize) {
        let there = || self.batteries.values().filter(|battery| battery.at == Some(station));
        let booked = there().filter(|battery| battery.is_booked).count();
        (there().count() - booked, booked)
    }

    fn inventory(&self, station: i64, name: &str, action: &str) -> String {
        let (available, booked) = self.counts(station);
        format!("inventory {station} {name} {available}/{booked}/{} {action}", available + booked)
    }

    /// A station as it is shown.
    pub fn shown(&self, id: i64) -> Came {
        let (name, status) = self.station(id)?;
        let (available, booked) = self.counts(id);
        let shown = json!({
            "id": id,
            "name": name,
            "status": status,
            "available_batteries": available,
            "booked_batteries": booked,
            "total_batteries": available + booked,
        });
        Ok((shown, Vec::new()))
    }

    fn write(&mut self, user: i64, message: &str) {
        self.inboxes.entry(user).or_default().push(message.to_owned());
    }

    pub fn create(&mut self, who: Who, name: &str, status: &str) -> Came {
        self.admin(who)?;
        let id = self.next_station;
        self.next_station += 1;
        self.stations.insert(id, (name.into(), status.into()));
        Ok((self.shown(id)?.0, vec![self.inventory(id, name, "update")]))
    }

    pub fn change(&mut self, who: Who, id: i64, name: Option<&str>, status: Option<&str>) -> Came {
        self.staff(who)?;
        if name.is_some() {
            self.admin(who)?;
        }
        if name.is_none() && status.is_none() {
            return Err("INVALID");
        }
        let (old_name, old_status) = self.station(id)?;
        let new_name = name.unwrap_or(&old_name).to_owned();
        let new_status = status.unwrap_or(&old_status).to_owned();
        self.stations.insert(id, (new_name.clone(), new_status.clone()));
        let mut told = Vec::new();
        if new_status != old_status {
            told.push(format!("status {id} {new_name} {new_status} {}", words(&new_status)));
            if old_status == "online" {
                told.extend(self.cancel_all(id, &new_name, words(&new_status)));
            }
        }
        if new_name != old_name || told.len() > 1 {
            told.push(self.inventory(id, &new_name, "update"));
        }
        Ok((self.shown(id)?.0, told))
    }

    fn cancel_all(&mut self, station: i64, name: &str, why: &str) -> Vec<String> {
        let live = self.bookings.iter().filter(|(_, b)| b.is_live() && b.station == station);
        let live: Vec<i64> = live.map(|(id, _)| *id).collect();
        let message = format!("Your booking at {name} was cancelled: {why}");
        live.into_iter().map(|id| self.let_go(id, "cancelled", &message)).collect()
    }

    /// Ends a booking whose battery stays where it is; gives what its user is told.
    fn let_go(&mut self, id: i64, status: &'static str, message: &str) -> String {
        let now = self.now;
        let booking = self.bookings.get_mut(&id).expect("it is there");
        (booking.status, booking.ended_at) = (status, Some(now));
        let (user, battery) = (booking.user, booking.battery);
        self.batteries.get_mut(&battery).expect("it is there").is_booked = false;
        self.write(user, message);
        format!("notification {user} {message}")
    }

    pub fn delete(&mut self, who: Who, id: i64) -> Came {
        self.admin(who)?;
        let (name, status) = self.station(id)?;
        let mut told = Vec::new();
        if status != "offline" {
            told.push(format!("status {id} {name} offline {}", words("offline")));
        }
        told.extend(self.cancel_all(id, &name, words("offline")));
        self.stations.remove(&id);
        self.batteries.retain(|_, battery| battery.at != Some(id));
        told.push(self.inventory(id, &name, "update"));
        Ok((Json::Null, told))
    }

    pub fn add(
        &mut self,
        who: Who,
        station: i64,
        id: Option<i64>,
        (name, model): (Option<&str>, Option<&str>),
    ) -> Came {
        self.staff(who)?;
        let (station_name, _) = self.station(station)?;
        let known = id.and_then(|id| self.batteries.get(&id));
        if known.is_some_and(|battery| battery.at.is_some()) {
            return Err("CONFLICT");
        }
        let before = known.map(|battery| (battery.name.clone(), battery.model.clone()));
        let name = name.map(str::to_owned).or(before.as_ref().map(|(name, _)| name.clone()));
        let model = model.map(str::to_owned).or(before.map(|(_, model)| model));
        let (name, model) = name.zip(model).ok_or("INVALID")?;
        let id = id.unwrap_or_else(|| {
            while self.batteries.contains_key(&self.next_battery) {
                self.next_battery += 1;
            }
            self.next_battery += 1;
            self.next_battery - 1
        });
        let shown = json!({
            "id": id, "station_id": station, "name": name, "model": model, "status": "available",
        });
        self.batteries.insert(id, Battery { at: Some(station), is_booked: false, name, model });
        let (available, booked) = self.counts(station);
        let total = available + booked;
        let added = format!("added {station} {station_name} {id} {available}/{total}");
        Ok((shown, vec![added, self.inventory(station, &station_name, "add")]))
    }

    pub fn remove(&mut self, who: Who, station: i64, id: i64) -> Came {
        self.staff(who)?;
        let (name, _) = self.station(station)?;
        let battery = self.batteries.get(&id).filter(|battery| battery.at == Some(station));
        if battery.ok_or("NOT_FOUND")?.is_booked {
            return Err("CONFLICT");
        }
        self.batteries.remove(&id);
        Ok((Json::Null, vec![self.inventory(station, &name, "update")]))
    }

    pub fn book(
        &mut self,
        who: Who,
        station: i64,
        battery: Option<i64>,
        claim: Option<i64>,
    ) -> Came {
        self.bearer(who)?;
        let Who::User(user) = who else { return Err("FORBIDDEN") };
        if claim.is_some_and(|claim| claim != user) {
            return Err("FORBIDDEN");
        }
        let (name, status) = self.station(station)?;
        let live = self.bookings.values().filter(|b| b.is_live() && b.user == user).count();
        if status != "online" || live >= self.bookings_per_user {
            return Err("CONFLICT");
        }
        let mut there = self.batteries.iter_mut().filter(|(_, b)| b.at == Some(station));
        let (id, found) = match battery {
            Some(wanted) => there.find(|(id, _)| **id == wanted).ok_or("NOT_FOUND")?,
            None => there.find(|(_, battery)| !battery.is_booked).ok_or("CONFLICT")?,
        };
        if found.is_booked {
            return Err("CONFLICT");
        }
        found.is_booked = true;
        let (battery, info) = (*id, format!("{} - {}", found.name, found.model));
        let id = self.next_booking;
        self.next_booking += 1;
        let booking = Booking {
            user,
            station,
            battery,
            status: "confirmed",
            created_at: self.now,
            expires_at: self.now + self.hold,
            ended_at: None,
        };
        self.bookings.insert(id, booking);
        let (available, booked) = self.counts(station);
        let (whole, masked) = &self.users[&user];
        let told = vec![
            format!("booked {station} {name} {battery} {available}/{booked} {whole} {masked}"),
            self.inventory(station, &name, "book"),
            format!("confirmed {user} {id} {name} {info}"),
        ];
        self.write(user, &format!("Battery booked successfully at {name}"));
        Ok((self.shown_booking(id), told))
    }

    pub fn shown_booking(&self, id: i64) -> Json {
        let booking = &self.bookings[&id];
        json!({
            "id": id,
            "station_id": booking.station,
            "battery_id": booking.battery,
            "user_id": booking.user.to_string(),
            "status": booking.status,
            "expires_at": crate::kit::timestamp_bare(booking.expires_at),
        })
    }

    /// A booking, for who may know of it.
    fn visible(&self, who: Who, id: i64) -> Result<&Booking, Refused> {
        self.bearer(who)?;
        let booking = self.bookings.get(&id);
        let booking = booking.filter(|b| self.is_staff(who) || who == Who::User(b.user));
        booking.ok_or("NOT_FOUND")
    }

    pub fn get(&self, who: Who, id: i64) -> Came {
        self.visible(who, id)?;
        Ok((self.shown_booking(id), Vec::new()))
    }

    pub fn ready(&mut self, who: Who, id: i64) -> Came {
        let booking = self.visible(who, id)?.clone();
        self.staff(who)?;
        if booking.status != "confirmed" {
            return Err("CONFLICT");
        }
        self.bookings.get_mut(&id).expect("it is there").status = "ready";
        let (name, _) = self.station(booking.station)?;
        self.write(booking.user, &format!("Your battery is ready for collection at {name}"));
        Ok((self.shown_booking(id), vec![format!("ready {} {id} {name}", booking.user)]))
    }

    fn live(&self, who: Who, id: i64) -> Result<Booking, Refused> {
        let booking = self.visible(who, id)?.clone();
        if booking.is_live() { Ok(booking) } else { Err("CONFLICT") }
    }

    pub fn collect(&mut self, who: Who, id: i64) -> Came {
        let Booking { station, battery, .. } = self.live(who, id)?;
        let now = self.now;
        let booking = self.bookings.get_mut(&id).expect("it is there");
        (booking.status, booking.ended_at) = ("collected", Some(now));
        let taken = self.batteries.get_mut(&battery).expect("it is there");
        (taken.at, taken.is_booked) = (None, false);
        let (name, _) = self.station(station)?;
        let (available, booked) = self.counts(station);
        let collected = format!("collected {station} {name} {battery} {available}/{booked}");
        let told = vec![collected, self.inventory(station, &name, "collect")];
        Ok((self.shown_booking(id), told))
    }

    pub fn cancel(&mut self, who: Who, id: i64) -> Came {
        let Booking { station, .. } = self.live(who, id)?;
        let (name, _) = self.station(station)?;
        let told = self.let_go(id, "cancelled", &format!("Your booking at {name} was cancelled"));
        Ok((Json::Null, vec![told, self.inventory(station, &name, "update")]))
    }

    /// The time goes on; gives what is told, and when.
    pub fn pass_to(&mut self, to: Micros) -> Vec<(Micros, String)> {
        let live = self.bookings.iter().filter(|(_, b)| b.is_live() && b.expires_at <= to);
        let mut over: Vec<_> = live.map(|(id, b)| (b.expires_at, id.to_string(), *id)).collect();
        over.sort();
        let mut told = Vec::new();
        for (at, _, id) in over {
            self.now = at;
            let station = self.bookings[&id].station;
            let name = self.stations[&station].0.clone();
            let message = format!("Your booking at {name} has expired");
            told.push((at, self.let_go(id, "expired", &message)));
            told.push((at, self.inventory(station, &name, "update")));
        }
        self.now = to;
        told
    }

    pub fn user_comes(&mut self) -> i64 {
        let id = self.next_user;
        self.next_user += 1;
        self.users.insert(id, (format!("user{id}"), "u***".into()));
        id
    }

    pub fn user_goes(&mut self, user: i64) -> Vec<String> {
        self.users.remove(&user);
        self.inboxes.remove(&user);
        let mut stations = std::collections::BTreeSet::new();
        for booking in self.bookings.values().filter(|b| b.user == user && b.is_live()) {
            stations.insert(booking.station);
            self.batteries.get_mut(&booking.battery).expect("it is there").is_booked = false;
        }
        self.bookings.retain(|_, booking| booking.user != user);
        let told = stations.into_iter();
        told.map(|id| self.inventory(id, &self.stations[&id].0, "update")).collect()
    }

    /// The bookings that somebody is shown, the newest first.
    pub fn list(
        &self,
        who: Who,
        user: Option<i64>,
        station: Option<i64>,
        status: Option<&str>,
    ) -> Result<Vec<Json>, Refused> {
        self.bearer(who)?;
        let of = match who {
            _ if self.is_staff(who) => user,
            Who::User(own) if user.is_none_or(|user| user == own) => Some(own),
            _ => return Err("FORBIDDEN"),
        };
        let wanted = self.bookings.iter().rev().filter(|(_, booking)| {
            of.is_none_or(|of| booking.user == of)
                && station.is_none_or(|station| booking.station == station)
                && status.is_none_or(|status| booking.status == status)
        });
        Ok(wanted.map(|(id, _)| self.shown_booking(*id)).collect())
    }

    /// All rows as they must be.
    pub fn rows(&self) -> Rows {
        let stations =
            self.stations.iter().map(|(id, (name, status))| (*id, name.clone(), status.clone()));
        let batteries = self.batteries.iter().map(|(id, battery)| BatteryRow {
            id: *id,
            station: battery.at,
            name: battery.name.clone(),
            model: battery.model.clone(),
            status: match battery.at {
                None => "collected",
                Some(_) if battery.is_booked => "booked",
                Some(_) => "available",
            }
            .to_owned(),
        });
        let bookings = self.bookings.iter().map(|(id, booking)| BookingRow {
            id: *id,
            station: booking.station,
            battery: booking.battery,
            user: booking.user,
            status: booking.status.to_owned(),
            created_at: booking.created_at,
            expires_at: Some(booking.expires_at),
            ended_at: booking.ended_at,
        });
        let live = self.bookings.iter().filter(|(_, booking)| booking.is_live());
        let mut due: Vec<_> = live
            .map(|(id, booking)| ("stations.hold".to_owned(), id.to_string(), booking.expires_at))
            .collect();
        due.sort();
        Rows {
            stations: stations.collect(),
            batteries: batteries.collect(),
            bookings: bookings.collect(),
            due,
        }
    }
}

fn words(status: &str) -> &'static str {
    match status {
        "online" => "Station is now operational",
        "offline" => "Station is now offline",
        _ => "Station is under maintenance",
    }
}
