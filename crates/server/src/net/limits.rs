//! How many connections an address or a principal may open per minute.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
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

/// The limits of one server.
pub struct ConnectionLimits {
    bad: DefaultKeyedRateLimiter<IpAddr>,
    anonymous: DefaultKeyedRateLimiter<IpAddr>,
    principal: DefaultKeyedRateLimiter<String>,
}

/// Who wants to connect.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// Someone without the credential that is required.
    Bad(IpAddr),
    /// Someone from whom none is required.
    Anonymous(IpAddr),
    /// The bearer of the token with this `jti`.
    Principal(&'a str),
}

impl ConnectionLimits {
    /// Nobody has connected yet.
    pub fn new() -> Self {
        ConnectionLimits {
            bad: limiter(BAD_PER_MINUTE),
            anonymous: limiter(ANONYMOUS_PER_MINUTE),
            principal: limiter(PRINCIPAL_PER_MINUTE),
        }
    }

    /// Counts a connection.
    ///
    /// # Errors
    /// The seconds after which to try again, when there were too many.
    pub fn admit(&self, caller: Caller<'_>) -> Result<(), u64> {
        match caller {
            Caller::Bad(address) => check(&self.bad, &household(address)),
            Caller::Anonymous(address) => check(&self.anonymous, &household(address)),
            Caller::Principal(jti) => check(&self.principal, &jti.to_owned()),
        }
    }
}

/// How often somebody may try to sign in, per minute.
pub struct LoginLimits {
    /// As one account from one address.
    pairs: DefaultKeyedRateLimiter<(String, IpAddr)>,
    /// From one address, whoever it tries.
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    /// As one account, from wherever: high, since a stranger can use it up for the owner.
    accounts: DefaultKeyedRateLimiter<String>,
}

const LOGINS_PER_PAIR: u32 = 10;
const LOGINS_PER_ADDRESS: u32 = 30;
const LOGINS_PER_ACCOUNT: u32 = 100;

impl LoginLimits {
    /// Nobody has tried yet.
    pub fn new() -> Self {
        LoginLimits {
            pairs: limiter(LOGINS_PER_PAIR),
            addresses: limiter(LOGINS_PER_ADDRESS),
            accounts: limiter(LOGINS_PER_ACCOUNT),
        }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// The seconds after which to try again, when there were too many.
    pub fn admit(&self, account: &str, address: IpAddr) -> Result<(), u64> {
        // An account's name can be as long as a body; past the longest login it is nobody's anyway.
        let account: String = account.chars().take(ACCOUNT_CHARS_MAX).collect();
        let address = household(address);
        check(&self.addresses, &address)?;
        check(&self.pairs, &(account.clone(), address))?;
        check(&self.accounts, &account)
    }
}

/// As much of an account's name as is counted by.
const ACCOUNT_CHARS_MAX: usize = 80;

impl Default for LoginLimits {
    fn default() -> Self {
        LoginLimits::new()
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        ConnectionLimits::new()
    }
}

/// Whom an address stands for: with IPv6 a household has 2^64 of them (RFC 6177), and counts once.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

fn limiter<K: Hash + Eq + Clone>(per_minute: u32) -> DefaultKeyedRateLimiter<K> {
    RateLimiter::keyed(Quota::per_minute(NonZeroU32::new(per_minute).expect("limits are not 0")))
}

fn check<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), u64> {
    if limiter.len() > REMEMBERED_MAX {
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
        let limits = ConnectionLimits::new();
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let admitted =
            |caller, tries: u32| (0..tries).filter(|_| limits.admit(caller).is_ok()).count() as u32;
        assert_eq!(admitted(Caller::Bad(one), BAD_PER_MINUTE), BAD_PER_MINUTE);
        let wait_s = limits.admit(Caller::Bad(one)).expect_err("one too many");
        assert!((1..=7).contains(&wait_s), "{wait_s}");
        assert_eq!(admitted(Caller::Anonymous(one), ANONYMOUS_PER_MINUTE), ANONYMOUS_PER_MINUTE);
        assert_eq!(admitted(Caller::Bad(other), 1), 1);
        assert_eq!(admitted(Caller::Principal("a"), 1_000), 1_000);
    }
}
