//! One test client that plays everybody who means harm, against a server with something of everything in it: TRUST.md's
//! lists, as data.
//!
//! | module | what is in it |
//! |---|---|
//! | `table` | what is not public, and who may see it: a new service adds rows |
//! | `who` | everybody who comes, and what they show |
//! | `world` | a server with a text that nobody can guess in each of these things |
//! | `ear` | connections that keep every byte that they are told |
//! | `scan` | texts found in bytes, whatever form they have there |
//! | `sweep` | everybody asks everywhere for everything, by the services' tables |
//! | `attacks` | attacks, one by one: who sends what where, and what must be answered |
//! | `abuse` | attacks that take more than one request: guesses, made-up addresses, markup, URLs, comparisons |
//! | `hostile` | requests, frames, packets and texts as nobody should send them, at every endpoint |
//! | `items` | TRUST's two lists, each item of which is played somewhere |
//! | `live` | everything changes while all listen |
//!
//! Who is told something that is not for them fails the test, in whatever form; so does what nobody is told, as then
//! nothing was tested.

mod abuse;
mod attacks;
mod ear;
mod hostile;
mod items;
mod live;
mod scan;
mod sweep;
mod table;
mod who;
mod world;

use serde_json::json;

use self::{abuse::Trap, ear::Room, sweep::Lines, who::Who, world::World};
use crate::harness::{Canary, Over, Server};

/// Everybody comes, asks and listens; then everything changes; then everybody comes back.
fn play(world: &World) {
    let mut canary = Canary::new(&world.server);
    let calls = sweep::calls(world);
    let _recoverable = anne_listens(world);
    let mut lines: Vec<(Who, Lines)> = Vec::new();
    for person in world.people() {
        lines.push((person.who, sweep::sweep(world, &calls, person)));
        canary.sings();
    }
    sweep::everybody_was_everywhere(world, &lines);
    if !world.is_demo {
        world.settles();
    }
    attacks::make(world, attacks::ATTACKS);
    attacks::claims(world);
    let trap = Trap::set(world);
    abuse::markup_is_text(world);
    abuse::files_are_the_owners(world);
    abuse::replies_are_the_callers(world);
    abuse::connections_are_their_owners(world);
    live::changes(world);
    canary.sings();
    attacks::make(world, attacks::OF_THE_KICKED);
    lines.iter_mut().for_each(|(_, lines)| lines.listen());
    note_token(world);
    for person in world.people() {
        sweep::come_back(world, &calls, person);
        canary.sings();
    }
    lines.iter_mut().for_each(|(_, lines)| lines.listen());
    trap.is_empty();
    world.nothing_leaked();
    world.the_log_keeps_secrets();
}

/// Anne has connections that may be recovered; how, only she may know.
fn anne_listens(world: &World) -> Vec<Room> {
    let mut rooms = Vec::new();
    for over in Over::BOTH {
        let recover = json!({ "recover": true });
        let room = Room::open(world.server.address(), world.person(Who::Anne), over, "/", &recover);
        for key in ["sid", "pid"] {
            let id = world::text(&room.connected, key);
            world.register("an id of a connection", id.clone());
            world.name(key, id);
        }
        world.register("an id of a connection", room.sid.clone());
        rooms.push(room);
    }
    rooms
}

/// The screen that waited has its token, which is for it alone.
fn note_token(world: &World) {
    let heard = &world.person(Who::Waiting).heard;
    let heard = heard.lock().expect("nobody panics under this lock").clone();
    let heard = String::from_utf8_lossy(&heard).into_owned();
    let token = heard.split('"').find(|text| text.starts_with("eyJ")).expect("it was paired");
    world.register_secret("the token that a screen gets", token);
}

#[test]
fn nobody_hears_what_is_not_theirs_in_a_house() {
    let world = World::plant(Server::start(), false);
    play(&world);
}

#[test]
fn who_guesses_and_compares_learns_nothing_in_a_house() {
    let world = World::plant(Server::start(), false);
    let mut canary = Canary::new(&world.server);
    abuse::absent_is_like_forbidden(&world, &sweep::calls(&world));
    abuse::identity_and_rights(&world);
    abuse::addresses_are_not_believed(&world);
    abuse::codes_are_not_guessed(&world);
    canary.sings();
    world.the_log_keeps_secrets();
}

#[test]
fn nobody_hears_what_is_not_theirs_in_a_demo() {
    let world = World::plant(Server::demo(), true);
    play(&world);
}
