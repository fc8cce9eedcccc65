//! How many connections that speak HTTP one household may have open at once.
//!
//! A connection leaves the count when it ends or is upgraded: live ones are counted by their credentials'
//! limits. Without a bound anybody could take every descriptor with connections that say nothing.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use ipnet::IpNet;

use super::limits::household;

/// The most at once.
pub const CONNECTIONS_MAX: u32 = 1_024;

/// Who has connections open. A `Mutex`: each connection takes it twice, for nanoseconds.
#[derive(Debug)]
pub struct Crowd {
    open: Mutex<HashMap<IpAddr, u32>>,
    /// Proxies stand for many, and are not counted.
    proxies: Vec<IpNet>,
}

/// A connection that is counted as long as this lives.
#[derive(Debug)]
pub struct Counted {
    crowd: Arc<Crowd>,
    household: Option<IpAddr>,
}

impl Crowd {
    /// Nobody is there yet.
    pub fn new(proxies: Vec<IpNet>) -> Arc<Crowd> {
        Arc::new(Crowd { open: Mutex::default(), proxies })
    }

    /// Lets a connection in; `None` if this household has enough.
    pub fn let_in(self: &Arc<Self>, address: IpAddr) -> Option<Counted> {
        let address = address.to_canonical();
        if self.proxies.iter().any(|network| network.contains(&address)) {
            return Some(Counted { crowd: self.clone(), household: None });
        }
        let household = household(address);
        let mut open = self.open.lock().expect("nobody panics under this lock");
        let count = open.entry(household).or_default();
        if *count >= CONNECTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Counted { crowd: self.clone(), household: Some(household) })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(household) = self.household else { return };
        let mut open = self.crowd.open.lock().expect("nobody panics under this lock");
        if let Some(count) = open.get_mut(&household) {
            *count -= 1;
            if *count == 0 {
                open.remove(&household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_has_so_many_and_a_proxy_any_number() {
        let crowd = Crowd::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let enter = |address: &str| crowd.let_in(address.parse().expect("an address"));
        let mut inside: Vec<_> =
            (0..CONNECTIONS_MAX).map(|n| enter(&format!("2001:db8::{n:x}"))).collect();
        assert!(inside.iter().all(Option::is_some));
        assert!(enter("2001:db8::ffff").is_none(), "it has enough");
        assert!(enter("2001:db8:0:1::1").is_some() && enter("192.0.2.1").is_some());
        inside.pop();
        inside.push(enter("2001:db8::ffff"));
        assert!(inside.iter().all(Option::is_some) && enter("2001:db8::1").is_none());
        let behind: Vec<_> = (0..3 * CONNECTIONS_MAX).map(|_| enter("10.1.1.1")).collect();
        assert!(behind.iter().all(Option::is_some));
        drop((inside, behind));
        assert!(crowd.open.lock().expect("nobody panicked").is_empty());
    }
}
