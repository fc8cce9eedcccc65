//! Tries of a password, counted by whom and from where: only those that failed count in the end.
//!
//! A try is taken before its password is compared, so that many at once do not slip through, and given
//! back when it was right: who signs in ten times a minute guesses nothing.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use bellwire_services::kit::Route;

use super::limits::household;
use crate::buckets::Buckets;

/// Tries a minute as one account from one address,
const PER_PAIR: u32 = 10;
/// from one address, whoever it tries,
const PER_ADDRESS: u32 = 30;
/// and as one account, from wherever: high, since a stranger can use it up for the owner.
const PER_ACCOUNT: u32 = 100;
/// As much of an account's name as is counted by; the longest login is shorter.
const ACCOUNT_CHARS_MAX: usize = 80;

/// The tries of one server.
pub struct Tries {
    pairs: Buckets<(String, IpAddr)>,
    addresses: Buckets<IpAddr>,
    accounts: Buckets<String>,
}

/// A try that was taken, to be given back if it was right.
pub struct Try {
    account: String,
    address: IpAddr,
}

impl Tries {
    /// Nobody has tried yet.
    pub fn new() -> Self {
        Tries {
            pairs: per_minute(PER_PAIR),
            addresses: per_minute(PER_ADDRESS),
            accounts: per_minute(PER_ACCOUNT),
        }
    }

    /// Takes a try.
    ///
    /// # Errors
    /// The seconds after which to try again, when there were too many.
    pub fn take(&self, account: &str, address: IpAddr, now_ms: u64) -> Result<Try, u64> {
        let account: String = account.chars().take(ACCOUNT_CHARS_MAX).collect();
        let (pair, address) = ((account.clone(), household(address)), household(address));
        self.addresses.take(&address, 1, now_ms)?;
        self.pairs.take(&pair, 1, now_ms)?;
        self.accounts.take(&account, 1, now_ms)?;
        Ok(Try { account, address })
    }

    /// Gives a try back: it was right.
    pub fn give_back(&self, Try { account, address }: Try) {
        self.addresses.give_back(&address, 1);
        self.accounts.give_back(&account, 1);
        self.pairs.give_back(&(account, address), 1);
    }
}

impl Default for Tries {
    fn default() -> Self {
        Tries::new()
    }
}

/// How often strangers may make calls that anybody may make: by address, for each call that has a limit.
pub struct Paces(HashMap<&'static str, Buckets<IpAddr>>);

impl Paces {
    /// The limits of these routes.
    pub fn of(routes: &[Route]) -> Paces {
        let limited =
            routes.iter().filter_map(|route| Some((route.call, per_minute(route.per_minute?))));
        Paces(limited.collect())
    }

    /// Counts a call.
    ///
    /// # Errors
    /// The seconds after which to try again, when there were too many.
    pub fn take(&self, call: &str, address: IpAddr, now_ms: u64) -> Result<(), u64> {
        self.0.get(call).map_or(Ok(()), |bucket| bucket.take(&household(address), 1, now_ms))
    }
}

/// Buckets that are filled anew within a minute.
fn per_minute<K: Hash + Eq + Clone>(limit: u32) -> Buckets<K> {
    Buckets::new(limit, f64::from(limit) / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn failed(tries: &Tries, account: &str, address: IpAddr, now_ms: u64, count: u32) -> u32 {
        (0..count).filter(|_| tries.take(account, address, now_ms).is_ok()).count() as u32
    }

    #[test]
    fn failed_tries_are_counted_by_account_and_address() {
        let one: IpAddr = [127, 0, 0, 1].into();
        let tries = Tries::new();
        assert_eq!(failed(&tries, "ann", one, 0, 20), PER_PAIR);
        assert_eq!(failed(&tries, "bob", one, 0, 1), 1);
        // 21 tries of this address are used up.
        let others: u32 = (0..20).map(|n| failed(&tries, &format!("user{n}"), one, 0, 1)).sum();
        assert_eq!(others, PER_ADDRESS - 21);
        let far = |n: u8| IpAddr::from([10, 0, 0, n]);
        let everywhere: u32 = (0..20).map(|n| failed(&tries, "ann", far(n), 0, 10)).sum();
        assert_eq!(everywhere, PER_ACCOUNT - PER_PAIR);
        assert_eq!(failed(&tries, &"x".repeat(60_000), far(200), 0, 20), PER_PAIR);
        // They come back with time, and never more of them.
        assert_eq!(failed(&tries, "ann", one, MINUTE_MS / 10, 5), 1);
        assert_eq!(failed(&tries, "ann", one, 100 * MINUTE_MS, 20), PER_PAIR);
        let wait_s = tries.take("ann", one, 100 * MINUTE_MS).err();
        assert_eq!(wait_s, Some(6), "a tenth of a minute");
    }

    #[test]
    fn right_ones_do_not_count() {
        let (tries, one) = (Tries::new(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..1_000 {
            let right = tries.take("ann", one, 0).unwrap_or_else(|_| panic!("there is room"));
            tries.give_back(right);
        }
        assert_eq!(failed(&tries, "ann", one, 0, 20), PER_PAIR);
    }
}
