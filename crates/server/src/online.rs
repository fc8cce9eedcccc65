//! Which users are online in chat: counted by connections, and kept in the database by portions.
//!
//! - A connection counts from when it is in the room that says so (`here/1`) for as long as it lives.
//! - When a user's last one is gone, they are offline at once if it said goodbye or was put out, and after a grace if it
//!   was lost: who comes back within that was never away. Who says goodbye again and again is believed once a second.
//! - At a start nobody is connected: all who were online have the grace to come back.
//!
//! What the database says is told by chat in the same transaction. That somebody is online, the command which brings a
//! connection here has written already; it is written again here, where that does nothing, as somebody else may have
//! been written down as gone in between.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use bellwire_services::{
    chat::{self, PRESENT_MAX},
    identity::UserId,
    kit::{Code, Fault, Payload, Principal, Topic},
};
use serde_json::json;
use tokio::{sync::Notify, time::timeout};

use crate::{buckets::Buckets, clock::Clock, door::Door};

/// How often connections are counted.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So few connections need not be counted: all of them are told of each other.
const FEW: usize = 64;
/// How soon what could not be written is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How many goodbyes of a user are believed at once, with one more for each second.
const GOODBYES_AT_ONCE: u32 = 5;
/// How long it takes to believe another, in milliseconds.
const GOODBYE_PAUSE_MS: u64 = 1_000;

/// Who is online.
#[derive(Debug)]
pub struct Online {
    /// A `Mutex`: shards count, the task below looks; each holds it for nanoseconds.
    known: Mutex<Known>,
    /// Wakes the task when somebody came or is to go.
    changed: Notify,
    clock: Arc<Clock>,
    grace_ms: u64,
    /// How often users may be gone at once.
    goodbyes: Buckets<UserId>,
    /// Counts all connections, once there are shards that have them.
    connections: OnceLock<Count>,
}

struct Count(Box<dyn Fn() -> usize + Send + Sync>);

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Count")
    }
}

#[derive(Debug, Default)]
struct Known {
    /// Connections, by user.
    here: HashMap<UserId, u32>,
    /// Whose first connection came since that was written down.
    came: HashSet<UserId>,
    /// Who has none any more, by when they are gone, in milliseconds.
    leaving: BTreeSet<(u64, UserId)>,
    /// The same, by user.
    leaves_at: HashMap<UserId, u64>,
}

/// One connection of a user: it counts as long as this lives.
#[derive(Debug)]
pub struct Being {
    user_id: UserId,
    /// Whether its client said goodbye, or may not come back.
    pub goodbye: bool,
    online: Arc<Online>,
}

/// Who came and who went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    came: Vec<UserId>,
    went: Vec<UserId>,
}

impl Online {
    /// Nobody is; who comes back within so many milliseconds was never away.
    pub fn new(clock: Arc<Clock>, grace_ms: u64) -> Online {
        let goodbyes = Buckets::new(GOODBYES_AT_ONCE, 1.0);
        Online {
            known: Mutex::default(),
            changed: Notify::new(),
            clock,
            grace_ms,
            goodbyes,
            connections: OnceLock::new(),
        }
    }

    /// A connection that holds these topics: it counts if one of them says so. `before` is what counted it until now.
    pub fn attend<'a>(
        self: &Arc<Self>,
        topics: impl IntoIterator<Item = &'a Topic>,
        before: Option<Being>,
    ) -> Option<Being> {
        let user_id = topics.into_iter().find_map(|topic| chat::rights::present(topic))?;
        if let Some(before) = before.filter(|before| before.user_id == user_id) {
            return Some(before);
        }
        let mut known = self.lock();
        let count = known.here.entry(user_id).or_default();
        *count += 1;
        if *count == 1 {
            known.stay(user_id);
            known.came.insert(user_id);
            self.changed.notify_one();
        }
        Some(Being { user_id, goodbye: false, online: self.clone() })
    }

    /// Says how connections are counted: whoever is connected may be told of who comes and goes. To be said once.
    pub fn counts(&self, connections: impl Fn() -> usize + Send + Sync + 'static) {
        let counted = self.connections.set(Count(Box::new(connections)));
        debug_assert!(counted.is_ok(), "there are shards once");
    }

    /// How many users are connected.
    pub fn len(&self) -> usize {
        self.lock().here.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These were online when the server ended: they have the grace to come back.
    fn expect(&self, users: Vec<UserId>) {
        let until_ms = self.clock.elapsed_ms() + self.grace_ms;
        let mut known = self.lock();
        for user_id in users {
            if !known.here.contains_key(&user_id) {
                known.leave(user_id, until_ms);
            }
        }
    }

    /// Up to [`PRESENT_MAX`] who came or went by now.
    fn take_changes(&self, now_ms: u64) -> Changes {
        let mut known = self.lock();
        let mut changes = Changes::default();
        changes.came.extend(known.came.iter().take(PRESENT_MAX));
        for user_id in &changes.came {
            known.came.remove(user_id);
        }
        // Who came and is gone again may never have been written down: it does no harm to say so.
        while changes.came.len() + changes.went.len() < PRESENT_MAX
            && let Some(&(until_ms, user_id)) = known.leaving.first()
            && until_ms <= now_ms
        {
            known.stay(user_id);
            changes.went.push(user_id);
        }
        changes
    }

    /// What could not be written down is to be, if it is still so.
    fn give_back(&self, changes: Changes) {
        let now_ms = self.clock.elapsed_ms();
        let mut known = self.lock();
        for user_id in changes.came {
            if known.here.contains_key(&user_id) {
                known.came.insert(user_id);
            }
        }
        for user_id in changes.went {
            if !known.here.contains_key(&user_id) {
                known.leave(user_id, now_ms);
            }
        }
    }

    /// How long until somebody is to be gone, if somebody is.
    fn next(&self, now_ms: u64) -> Option<Duration> {
        let first = self.lock().leaving.first().map(|(until_ms, _)| *until_ms)?;
        Some(Duration::from_millis(first.saturating_sub(now_ms)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics under this lock")
    }
}

impl Known {
    fn leave(&mut self, user_id: UserId, until_ms: u64) {
        self.stay(user_id);
        self.came.remove(&user_id);
        self.leaves_at.insert(user_id, until_ms);
        self.leaving.insert((until_ms, user_id));
    }

    fn stay(&mut self, user_id: UserId) {
        if let Some(until_ms) = self.leaves_at.remove(&user_id) {
            self.leaving.remove(&(until_ms, user_id));
        }
    }
}

impl Drop for Being {
    fn drop(&mut self) {
        let Online { known, changed, clock, grace_ms, goodbyes, .. } = &*self.online;
        let now_ms = clock.elapsed_ms();
        let mut known = known.lock().expect("nobody panics under this lock");
        if let Some(count) = known.here.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                known.here.remove(&self.user_id);
                let grace_ms = match self.goodbye {
                    true if goodbyes.take(&self.user_id, 1, now_ms).is_ok() => 0,
                    true => GOODBYE_PAUSE_MS,
                    false => *grace_ms,
                };
                known.leave(self.user_id, now_ms + grace_ms);
                changed.notify_one();
            }
        }
    }
}

/// Gives those who were online when the server ended the grace to come back.
///
/// # Errors
/// The store's.
pub async fn begin(door: &Door) -> Result<(), Fault> {
    let users = door.look(chat::everyone_online).await?;
    door.online.expect(users);
    Ok(())
}

/// Writes down who comes and goes, until it is aborted; and how many connections there are, before they say that
/// somebody is here.
pub async fn run(door: Arc<Door>) {
    let mut noted = 0;
    loop {
        while note(&door, &mut noted).await {}
        let changed = door.online.changed.notified();
        // A time is waited for that has come, or somebody who comes before.
        let next = door.online.next(door.clock.elapsed_ms()).unwrap_or(LOOK_EVERY);
        drop(timeout(next.min(LOOK_EVERY), changed).await);
    }
}

/// Whether so many connections are far from what was noted.
fn is_far(listeners: usize, noted: usize) -> bool {
    listeners.max(FEW) > 2 * noted.max(FEW) || 2 * listeners.max(FEW) < noted.max(FEW)
}

/// Writes a portion down; says whether there may be more.
async fn note(door: &Door, noted: &mut usize) -> bool {
    let changes = door.online.take_changes(door.clock.elapsed_ms());
    let listeners = door.online.connections.get().map_or(0, |count| (count.0)());
    if changes == Changes::default() && !is_far(listeners, *noted) {
        return false;
    }
    let fields = json!({ "came": changes.came, "went": changes.went, "listeners": listeners });
    let payload: Payload = serde_json::from_value(fields).expect("it is an object");
    match door.ask("chat.present", payload, Arc::new(Principal::system())).await {
        Ok(_) => *noted = listeners,
        Err(fault) => {
            // A full disk is told elsewhere.
            if fault.code != Code::Full {
                tracing::warn!(%fault, "who is online is noted later");
            }
            door.online.give_back(changes);
            wait(TRY_AGAIN).await;
        }
    }
    true
}

#[expect(clippy::disallowed_methods, reason = "there is nothing to wait for but time")]
async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn online(grace_ms: u64) -> Arc<Online> {
        Arc::new(Online::new(Arc::new(Clock::new()), grace_ms))
    }

    fn attend(online: &Arc<Online>, user_id: i64) -> Being {
        let topics = ["chat".into(), format!("here/{user_id}").into()];
        online.attend(&topics, None).expect("it counts")
    }

    /// What is to be written down so late, as `+1-2`.
    fn changes(online: &Online, later_ms: u64) -> String {
        let mut changes = online.take_changes(online.clock.elapsed_ms() + later_ms);
        changes.came.sort();
        let came = changes.came.iter().map(|user| format!("+{}", user.0));
        came.chain(changes.went.iter().map(|user| format!("-{}", user.0))).collect()
    }

    #[test]
    fn a_user_is_online_as_long_as_one_connection_is() {
        let online = online(5_000);
        let [one, two] = [(); 2].map(|()| attend(&online, 1));
        assert!(online.attend(&["chat".into(), "person/1".into()], None).is_none());
        assert_eq!(changes(&online, 0), "+1");
        drop(one);
        assert_eq!(changes(&online, 60_000), "");
        drop(two);
        assert_eq!(changes(&online, 4_000), "", "it may come back");
        assert_eq!(changes(&online, 5_001), "-1");
        assert_eq!(changes(&online, 60_000), "");
        // Who comes back in time was never away.
        drop(attend(&online, 1));
        let back = attend(&online, 1);
        assert_eq!(changes(&online, 60_000), "+1");
        // The same connection, read anew.
        let topics = ["here/1".into()];
        let same = online.attend(&topics, Some(back));
        assert_eq!(changes(&online, 60_000), "");
        drop(same);
        assert_eq!(changes(&online, 60_000), "-1");
    }

    #[test]
    fn who_says_goodbye_is_gone_at_once() {
        let online = online(5_000);
        let [mut one, mut two] = [(); 2].map(|()| attend(&online, 1));
        assert_eq!(changes(&online, 0), "+1");
        one.goodbye = true;
        drop(one);
        assert_eq!(changes(&online, 0), "", "there is another tab");
        two.goodbye = true;
        drop(two);
        assert_eq!(changes(&online, 0), "-1");
    }

    #[test]
    fn who_says_goodbye_again_and_again_is_believed_once_a_second() {
        let online = online(5_000);
        let mut went = Vec::new();
        for _ in 0..GOODBYES_AT_ONCE + 2 {
            attend(&online, 1).goodbye = true;
            went.push(changes(&online, 0));
        }
        let at_once = went.iter().filter(|changes| *changes == "-1").count();
        assert_eq!(at_once, GOODBYES_AT_ONCE as usize, "{went:?}");
        assert_eq!(changes(&online, GOODBYE_PAUSE_MS + 1), "-1");
    }

    #[test]
    fn connections_are_noted_when_they_are_far_more_or_fewer() {
        for (listeners, noted, far) in [
            (0, 0, false),
            (128, 0, false),
            (129, 0, true),
            (1_000, 501, false),
            (1_000, 499, true),
        ] {
            assert_eq!(is_far(listeners, noted), far, "{listeners} {noted}");
        }
        assert!(is_far(499, 1_000) && !is_far(500, 1_000) && !is_far(1, 128) && is_far(1, 129));
    }

    #[test]
    fn who_was_online_before_has_the_grace_too() {
        let online = online(5_000);
        let here = attend(&online, 2);
        online.expect(vec![UserId(1), UserId(2), UserId(3)]);
        let back = attend(&online, 3);
        assert_eq!(changes(&online, 4_000), "+2+3");
        assert_eq!(changes(&online, 5_001), "-1");
        drop((here, back));
    }

    #[test]
    fn what_could_not_be_written_comes_again_if_it_is_still_so() {
        let online = online(0);
        let [one, two] = [1, 2].map(|user_id| attend(&online, user_id));
        let taken = online.take_changes(0);
        drop(one);
        online.give_back(taken);
        assert_eq!(changes(&online, 1), "+2-1");
        let taken = Changes { came: Vec::new(), went: vec![UserId(1), UserId(2)] };
        online.give_back(taken);
        assert_eq!(changes(&online, 1), "-1");
        drop(two);
        let all: Vec<_> =
            (0..PRESENT_MAX as i64 + 1).map(|user| attend(&online, user + 10)).collect();
        let portions = [(); 3].map(|()| online.take_changes(0).came.len());
        assert_eq!(portions, [PRESENT_MAX, 1, 0]);
        drop(all);
    }
}
