//! How often somebody may connect, per minute.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

/// With a missing or bad credential where one is required.
const BAD_PER_MINUTE: u32 = 10;
/// Without a credential where none is required.
const ANONYMOUS_PER_MINUTE: u32 = 300;
/// With a good one: a house of tablets behind one address comes back after a restart.
const PRINCIPAL_PER_MINUTE: u32 = 60_000;
/// From this many remembered callers on, those that were quiet for a minute are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Once in so many times.
const FORGOTTEN_EVERY: u32 = 1_000;

/// The limits of one server.
pub struct ConnectionLimits {
    bad: Counter<IpAddr>,
    anonymous: Counter<IpAddr>,
    principal: Counter<String>,
    /// If set, everybody else's limits do not matter: each address has this one.
    strict: Option<Counter<IpAddr>>,
}

/// Who wants to connect.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// Someone without the credential that is required.
    Bad,
    /// Someone from whom none is required.
    Anonymous,
    /// The bearer of the token with this `jti`.
    Principal(&'a str),
}

impl ConnectionLimits {
    /// Nobody has connected yet. `strict`: every address gets 10 a minute, whoever asks.
    pub fn new(strict: bool) -> Self {
        ConnectionLimits {
            bad: limiter(BAD_PER_MINUTE),
            anonymous: limiter(ANONYMOUS_PER_MINUTE),
            principal: limiter(PRINCIPAL_PER_MINUTE),
            strict: strict.then(|| limiter(BAD_PER_MINUTE)),
        }
    }

    /// Counts a connection.
    ///
    /// # Errors
    /// The seconds after which to try again, when there were too many.
    pub fn admit(&self, caller: Caller<'_>, address: IpAddr) -> Result<(), u64> {
        let address = household(address);
        match (&self.strict, caller) {
            (Some(strict), _) => check(strict, &address),
            (None, Caller::Bad) => check(&self.bad, &address),
            (None, Caller::Anonymous) => check(&self.anonymous, &address),
            (None, Caller::Principal(jti)) => check(&self.principal, &jti.to_owned()),
        }
    }
}

/// Whom an address stands for: with IPv6 a household has 2^64 of them (RFC 6177), and counts once.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

/// Counts by key.
struct Counter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    /// Counts what was counted, so that forgetting, which looks at every key, is rare. An atomic: every
    /// connection takes a number.
    turn: AtomicU32,
}

fn limiter<K: Hash + Eq + Clone>(per_minute: u32) -> Counter<K> {
    let quota = Quota::per_minute(NonZeroU32::new(per_minute).expect("limits are not 0"));
    Counter { limiter: RateLimiter::keyed(quota), turn: AtomicU32::new(0) }
}

fn check<K: Hash + Eq + Clone>(counter: &Counter<K>, key: &K) -> Result<(), u64> {
    let Counter { limiter, turn } = counter;
    let is_turn = turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGOTTEN_EVERY);
    if is_turn && limiter.len() > REMEMBERED_MAX {
        limiter.retain_recent();
    }
    limiter
        .check_key(key)
        .map_err(|refused| refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_reached_and_is_its_own() {
        let limits = ConnectionLimits::new(false);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let admitted = |caller, address, tries: u32| {
            (0..tries).filter(|_| limits.admit(caller, address).is_ok()).count() as u32
        };
        assert_eq!(admitted(Caller::Bad, one, BAD_PER_MINUTE), BAD_PER_MINUTE);
        let wait_s = limits.admit(Caller::Bad, one).expect_err("one too many");
        assert!((1..=7).contains(&wait_s), "{wait_s}");
        assert_eq!(admitted(Caller::Anonymous, one, ANONYMOUS_PER_MINUTE), ANONYMOUS_PER_MINUTE);
        assert_eq!(admitted(Caller::Bad, other, 1), 1);
        assert_eq!(admitted(Caller::Principal("a"), one, 1_000), 1_000);
    }

    #[test]
    fn strictly_each_address_has_ten() {
        let limits = ConnectionLimits::new(true);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let callers =
            [Caller::Principal("a"), Caller::Anonymous, Caller::Principal("b"), Caller::Bad];
        let admitted = |address| {
            let all = callers.iter().cycle().take(40);
            all.filter(|caller| limits.admit(**caller, address).is_ok()).count()
        };
        assert_eq!((admitted(one), admitted(other), admitted(one)), (10, 10, 0));
    }

    #[test]
    fn a_household_counts_once() {
        let limits = ConnectionLimits::new(false);
        let check = |address: &str, admitted: bool| {
            let address = address.parse().expect("an address");
            assert_eq!(limits.admit(Caller::Bad, address).is_ok(), admitted, "{address}");
        };
        (1..=10).for_each(|host| check(&format!("2001:db8:1:2::{host:x}"), true));
        check("2001:db8:1:2:ffff:ffff:ffff:ffff", false);
        check("2001:db8:1:3::1", true);
        (1..=9).for_each(|_| check("192.0.2.1", true));
        check("::ffff:192.0.2.1", true);
        check("192.0.2.1", false);
        check("192.0.2.2", true);
    }
}
