//! What lasts for a while and is told by events that pass, such as that somebody types. It ends when that is said,
//! after its time, or with the session that began it; its end is told then.
//!
//! A client may say a thousand times that somebody types: that something begins is told at most once a second, and so
//! is an end that had no beginning. What begins sooner after it was told last is told when the second is over, if it goes
//! on then; if not, neither its beginning nor its end is.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bellwire_services::kit::{Event, Signal};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval},
};

use crate::{door::Door, hub::SessionId, sequencer::Feeds};

/// How often the same is told at most, in milliseconds.
const PAUSE_MS: u64 = 1_000;
/// How often it is looked for what is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many signals of one session may go on. Of more nobody is told.
pub const SIGNALS_MAX: usize = 16;

/// A session: its shard, and its name there.
pub type Owner = (u16, SessionId);

/// The signals that go on.
#[derive(Debug, Default)]
pub struct Signals {
    /// A `Mutex`: shards say what begins and ends, the task below looks for what is over; each holds it for
    /// microseconds.
    known: Mutex<Known>,
    /// Wakes the task when there is something to wait for.
    began: Notify,
}

#[derive(Debug, Default)]
struct Known {
    signals: HashMap<String, State>,
    /// When there is something to do about each, in milliseconds.
    times: BTreeSet<(u64, String)>,
    /// The keys of those that go on, by their session.
    owned: HashMap<Owner, BTreeSet<String>>,
}

#[derive(Debug)]
struct State {
    /// When there is something to do: it is told to begin, it ends, or it may be forgotten; in milliseconds.
    at_ms: u64,
    /// When its beginning, or an end without one, was told last.
    told_ms: u64,
    goes_on: Option<GoesOn>,
}

#[derive(Debug)]
struct GoesOn {
    /// How its beginning is told, as long as it was not.
    untold: Option<Event>,
    /// How its end is told.
    ends: Event,
    owner: Owner,
    /// When it ends by itself, in milliseconds.
    until_ms: u64,
}

/// A session that began something: all of it ends when this is dropped.
#[derive(Debug)]
pub struct Signaller {
    owner: Owner,
    signals: Arc<Signals>,
    feeds: Arc<Feeds>,
}

impl Signaller {
    /// One for this session.
    pub fn new(owner: Owner, door: &Door) -> Signaller {
        Signaller { owner, signals: door.signals.clone(), feeds: door.feeds.clone() }
    }
}

impl Drop for Signaller {
    fn drop(&mut self) {
        self.feeds.pass(self.signals.end_all(self.owner));
    }
}

impl Signals {
    /// Takes in what a session of this name says; gives what is to be told.
    pub fn take(&self, signal: Signal, owner: Owner, now_ms: u64) -> Option<Event> {
        let mut known = self.lock();
        let told = match signal {
            Signal::Begins { key, begins, ends, lasts } => {
                let until_ms = now_ms + u64::try_from(lasts / 1_000).unwrap_or(0);
                known.begin(key, (begins, ends), until_ms, owner, now_ms)
            }
            Signal::Ends { key, ends, always } => known.end(&key, ends, always, now_ms),
        };
        if !known.times.is_empty() {
            self.began.notify_one();
        }
        told
    }

    /// Ends all that a session began; gives what is to be told.
    fn end_all(&self, owner: Owner) -> Vec<Event> {
        let mut known = self.lock();
        let keys = known.owned.get(&owner).cloned().unwrap_or_default();
        keys.iter().filter_map(|key| known.stop(key)).collect()
    }

    /// Tells what waited for that, and ends what is over; gives what is to be told, and whether there is more to wait for.
    fn pass_time(&self, now_ms: u64) -> (Vec<Event>, bool) {
        let mut known = self.lock();
        let mut told = Vec::new();
        while known.times.first().is_some_and(|(at_ms, _)| *at_ms <= now_ms) {
            let Some((at_ms, key)) = known.times.pop_first() else { break };
            match known.tell_late(&key, at_ms) {
                Some(begins) => told.push(begins),
                None => {
                    told.extend(known.stop(&key));
                    known.forget(&key);
                }
            }
        }
        (told, !known.times.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics under this lock")
    }
}

impl Known {
    fn begin(
        &mut self,
        key: String,
        (begins, ends): (Event, Event),
        until_ms: u64,
        owner: Owner,
        now_ms: u64,
    ) -> Option<Event> {
        let known = self.signals.get(&key);
        let goes_on = known.is_some_and(|state| state.goes_on.is_some());
        if !goes_on && self.owned.get(&owner).map_or(0, BTreeSet::len) >= SIGNALS_MAX {
            return None;
        }
        let told_ms = known.map(|state| state.told_ms).filter(|told| now_ms < told + PAUSE_MS);
        let was_told =
            known.and_then(|state| state.goes_on.as_ref()).is_some_and(|on| on.untold.is_none());
        self.release(&key);
        self.owned.entry(owner).or_default().insert(key.clone());
        let (untold, told) = match told_ms {
            None => (None, Some(begins)),
            Some(_) => (Some(begins).filter(|_| !was_told), None),
        };
        let at_ms = match &untold {
            Some(_) => told_ms.map_or(until_ms, |told_ms| until_ms.min(told_ms + PAUSE_MS)),
            None => until_ms,
        };
        let goes_on = Some(GoesOn { untold, ends, owner, until_ms });
        self.set(key, State { at_ms, told_ms: told_ms.unwrap_or(now_ms), goes_on });
        told
    }

    fn end(&mut self, key: &str, ends: Option<Event>, always: bool, now_ms: u64) -> Option<Event> {
        let known = self.signals.get_mut(key);
        let told_ms = known.as_ref().map(|state| state.told_ms);
        if let Some(on) = known.and_then(|state| state.goes_on.as_mut()) {
            if let Some(ends) = ends {
                on.ends = ends;
            }
            return self.stop(key);
        }
        let is_due = always && told_ms.is_none_or(|told_ms| now_ms >= told_ms + PAUSE_MS);
        let ends = ends.filter(|_| is_due)?;
        let at_ms = now_ms + PAUSE_MS;
        self.set(key.to_owned(), State { at_ms, told_ms: now_ms, goes_on: None });
        Some(ends)
    }

    /// What waited to be told to begin is, at this time; it goes on.
    fn tell_late(&mut self, key: &str, at_ms: u64) -> Option<Event> {
        let state = self.signals.get_mut(key)?;
        let on = state.goes_on.as_mut()?;
        let begins = on.untold.take_if(|_| at_ms < on.until_ms)?;
        (state.told_ms, state.at_ms) = (at_ms, on.until_ms);
        self.times.insert((state.at_ms, key.to_owned()));
        Some(begins)
    }

    /// It does not go on any more; gives how that is told, if that it began was. When that was is remembered.
    fn stop(&mut self, key: &str) -> Option<Event> {
        let on = self.release(key)?;
        let told_ms = self.signals.get(key).map_or(0, |state| state.told_ms);
        self.set(key.to_owned(), State { at_ms: told_ms + PAUSE_MS, told_ms, goes_on: None });
        on.untold.is_none().then_some(on.ends)
    }

    /// It is nobody's any more.
    fn release(&mut self, key: &str) -> Option<GoesOn> {
        let on = self.signals.get_mut(key)?.goes_on.take()?;
        if let Some(keys) = self.owned.get_mut(&on.owner) {
            keys.remove(key);
            if keys.is_empty() {
                self.owned.remove(&on.owner);
            }
        }
        Some(on)
    }

    fn set(&mut self, key: String, state: State) {
        let at_ms = state.at_ms;
        if let Some(before) = self.signals.insert(key.clone(), state) {
            self.times.remove(&(before.at_ms, key.clone()));
        }
        self.times.insert((at_ms, key));
    }

    fn forget(&mut self, key: &str) {
        if let Some(state) = self.signals.remove(key) {
            self.times.remove(&(state.at_ms, key.to_owned()));
        }
    }
}

/// Tells what is over, until it is aborted.
pub async fn run(door: Arc<Door>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let (ended, more) = door.signals.pass_time(door.clock.elapsed_ms());
        door.feeds.pass(ended);
        if !more {
            door.signals.began.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use bellwire_services::kit::{Overflow, Variant};
    use serde_json::value::to_raw_value;

    use super::*;

    fn event(name: &str) -> Event {
        let payload = to_raw_value(&1).expect("it serialises");
        Event {
            name: name.to_owned().into(),
            key: String::new(),
            except: Vec::new(),
            variants: vec![Variant { topics: vec!["room".into()], payload }],
            overflow: Overflow::Close,
        }
    }

    /// Plays a script, and compares what is told. `1:+a` is: session 1 begins `a`, for ten seconds; `1:-a` that it ends
    /// it; `1:.a` that it ends it if it goes on; `1:=a` and `1:~a` the same, each in words of its own; `1:!` that the
    /// session ends; `@500` that it is so late, in milliseconds.
    fn check(script: &str, told: &str) {
        let signals = Signals::default();
        let (mut now_ms, mut heard) = (0, Vec::new());
        for step in script.split(' ') {
            let (ended, more) = signals.pass_time(now_ms);
            assert_eq!(more, !signals.lock().times.is_empty());
            heard.extend(ended);
            if let Some(time) = step.strip_prefix('@') {
                now_ms = time.parse().expect("a time");
                heard.extend(signals.pass_time(now_ms).0);
                continue;
            }
            let (who, what) = step.split_once(':').expect("a session and what it does");
            let slot = who.parse().expect("the number of a session");
            let owner = (0, SessionId { slot, serial: 1 });
            let (does, key) = what.split_at(1);
            let (begins, ends) = (event(&format!("+{key}")), event(&format!("-{key}")));
            let (key, always) = (key.to_owned(), "-=".contains(does));
            let signal = match does {
                "+" => Signal::Begins { key, begins, ends, lasts: 10_000_000 },
                "-" => Signal::Ends { key, ends: Some(ends), always },
                "=" | "~" => Signal::Ends { key, ends: Some(event(what)), always },
                "." => Signal::Ends { key, ends: None, always },
                _ => {
                    heard.extend(signals.end_all(owner));
                    continue;
                }
            };
            heard.extend(signals.take(signal, owner, now_ms));
        }
        let heard: Vec<_> = heard.iter().map(|event| event.name.as_ref()).collect();
        assert_eq!(heard.join(" "), told, "{script}");
        let (ended, more) = signals.pass_time(u64::MAX);
        assert_eq!((ended.is_empty(), more), (true, false), "{script}: something goes on for good");
        let known = signals.lock();
        assert!(known.signals.is_empty() && known.owned.is_empty(), "{script}: nothing is kept");
    }

    #[test]
    fn what_lasts_for_a_while_is_told_to_begin_and_to_end() {
        check("1:+a 1:-a", "+a -a");
        check("1:+a @9999 @10000", "+a -a");
        check("1:+a @9000 1:+a @18999 1:-a", "+a +a -a");
        check("1:+a @9000 1:+a @18999 @19000", "+a +a -a");
        check("1:+a 2:+b 1:! 2:!", "+a +b -a -b");
        check("1:+a 1:.a 1:.a", "+a -a");
        check("1:.a 1:~a", "");
        check("1:+a 1:=a @1000 1:+a 1:~a 1:~a @2000 1:=a", "+a =a +a ~a =a");
        // Of two tabs of somebody the last one counts.
        check("1:+a 2:+a 1:! @10000", "+a -a");
        check("1:+a 2:+a 2:!", "+a -a");
    }

    #[test]
    fn the_same_is_told_once_a_second() {
        check("1:+a 1:+a @999 1:+a @1000 1:+a 1:-a", "+a +a -a");
        // What was not told to begin has no end.
        check("1:+a 1:-a 1:+a 1:-a @999 1:+a 1:-a @1000 1:+a 1:-a", "+a -a +a -a");
        check("1:-a 1:-a @999 1:-a @1000 1:-a", "-a -a");
        check("1:-a 1:+a 1:-a @1000 1:+a 1:-a", "-a +a -a");
        // What goes on when the second is over is told to begin then.
        check("1:+a 1:-a 1:+a @999 @1000 1:-a", "+a -a +a -a");
        check("1:+a 1:-a 1:+a 1:+a 1:! @1000", "+a -a");
        check("1:+a 1:-a @500 1:+a @1000 @10499 @10500", "+a -a +a -a");
        check("1:-a 1:+a @1000 1:.a", "-a +a -a");
        check("1:+a 1:-a 2:+a 1:! @1000 2:!", "+a -a +a -a");
        let many = (0..1_000).map(|_| "1:+a").collect::<Vec<_>>().join(" ");
        check(&format!("{many} @10000"), "+a -a");
    }

    #[test]
    fn a_session_has_so_many_at_once() {
        let all: Vec<_> = (0..=SIGNALS_MAX).map(|number| format!("1:+{number}")).collect();
        let told: Vec<_> = (0..SIGNALS_MAX).map(|number| format!("+{number}")).collect();
        check(&format!("{} 1:-3 2:+x 1:+x 2:-x 1:!", all.join(" ")), &{
            let rest = (0..SIGNALS_MAX).filter(|number| *number != 3).map(|n| n.to_string());
            let mut rest: Vec<_> = rest.collect();
            rest.sort();
            let rest: Vec<_> = rest.iter().map(|key| format!("-{key}")).collect();
            format!("{} -3 +x -x {}", told.join(" "), rest.join(" "))
        });
    }
}
