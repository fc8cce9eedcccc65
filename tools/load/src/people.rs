//! Users who chat, and their rooms, made over REST: users and tokens as an admin makes them, rooms as
//! their members do.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};

use crate::boards;
use crate::http::{self, text_of};
use crate::interrupt;

/// A user.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's number.
    pub user_id: u64,
    /// The name that others see.
    pub username: String,
    /// What the user shows.
    pub token: String,
}

/// A room and those who are in it.
#[derive(Clone, Debug)]
pub struct Room {
    /// How clients name it: its members' numbers.
    pub label: String,
    /// Its members.
    pub members: Vec<Person>,
}

/// Makes so many users.
pub fn make(address: SocketAddr, admin: &str, count: usize) -> Result<Vec<Person>> {
    let mut line = boards::line(address)?;
    let mut people = Vec::with_capacity(count);
    for number in 0..count {
        interrupt::check()?;
        let mut post = |path: &str, body: &str| {
            let request = http::json(address, &format!("POST {path}"), Some(admin), body);
            line.ask(&request).with_context(|| format!("user {number}, {path}"))
        };
        let username = format!("member_{number}");
        let made = post("/api/users", &format!(r#"{{"username":"{username}"}}"#))?;
        let id = text_of(&made, "userId")?;
        let token = post("/api/tokens", &format!(r#"{{"role":"user","subject":"{id}"}}"#))?;
        let token = text_of(&token, "token")?;
        let user_id = id.parse().context("a user's id that is no number")?;
        people.push(Person { user_id, username, token });
    }
    Ok(people)
}

/// Puts people into rooms of `size`, in their order. The first of each makes the room.
pub fn put_into_rooms(
    address: SocketAddr,
    mut people: Vec<Person>,
    size: usize,
) -> Result<Vec<Room>> {
    ensure!(size > 0 && people.len().is_multiple_of(size), "rooms of {size} would not be full");
    let mut line = boards::line(address)?;
    let mut rooms = Vec::new();
    while !people.is_empty() {
        interrupt::check()?;
        let members: Vec<Person> = people.drain(..size).collect();
        let others: Vec<String> =
            members[1..].iter().map(|other| format!(r#""{}""#, other.user_id)).collect();
        let body = format!(r#"{{"members":[{}]}}"#, others.join(","));
        let request = http::json(address, "POST /api/chat/rooms", Some(&members[0].token), &body);
        let made = line.ask(&request).with_context(|| format!("room {}", rooms.len()))?;
        let label = text_of(&made, "roomID")?;
        ensure!(label == label_of(&members), "a room of {} others is called {label}", others.len());
        rooms.push(Room { label, members });
    }
    Ok(rooms)
}

/// So many rooms of `size` that are nowhere, for the bare loop, which asks nobody for a token.
pub fn made_up(rooms: usize, size: usize) -> Vec<Room> {
    let person = |user_id: u64| Person {
        user_id,
        username: format!("member_{user_id}"),
        token: String::new(),
    };
    let room = |number: usize| {
        // User 1 is the admin.
        let first = (2 + number * size) as u64;
        let members: Vec<Person> = (first..first + size as u64).map(person).collect();
        Room { label: label_of(&members), members }
    };
    (0..rooms).map(room).collect()
}

/// The members' numbers in ascending order.
fn label_of(members: &[Person]) -> String {
    let mut ids: Vec<u64> = members.iter().map(|member| member.user_id).collect();
    ids.sort_unstable();
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    ids.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_by_number() {
        let rooms = made_up(3, 4);
        let labels: Vec<&str> = rooms.iter().map(|room| &*room.label).collect();
        assert_eq!(labels, ["2:3:4:5", "6:7:8:9", "10:11:12:13"]);
        let mut members = rooms[1].members.clone();
        members.extend_from_slice(&rooms[2].members[..1]);
        members.reverse();
        assert_eq!(label_of(&members), "6:7:8:9:10");
    }
}
