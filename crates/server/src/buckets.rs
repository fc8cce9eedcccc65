//! Token buckets by key: how much somebody may do in a time, and how much at once. In memory only; who has been quiet
//! long enough to have all again is forgotten.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard},
};

/// From this many remembered keys on, those that have all again are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// A bucket for each key, full at first.
#[derive(Debug)]
pub struct Buckets<K> {
    /// How much a bucket holds.
    capacity: f64,
    /// How much comes back in a second.
    per_second: f64,
    /// A `Mutex`: whoever takes something takes it, for nanoseconds.
    left: Mutex<Left<K>>,
}

#[derive(Debug)]
struct Left<K> {
    /// What is left, and as of when, in milliseconds of the server's clock.
    by_key: HashMap<K, (f64, u64)>,
    /// At this many keys those are forgotten that are full again: twice as many as were left the last time, so that
    /// looking at all of them is rare however many there are.
    forget_at: usize,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Buckets that hold so much, and are filled again at this rate.
    pub fn new(capacity: u32, per_second: f64) -> Self {
        let left = Left { by_key: HashMap::new(), forget_at: REMEMBERED_MAX };
        Buckets { capacity: capacity.into(), per_second, left: Mutex::new(left) }
    }

    fn lock(&self) -> MutexGuard<'_, Left<K>> {
        self.left.lock().expect("nobody panics under this lock")
    }

    /// What is left of a bucket by now.
    fn filled(&self, (left, at_ms): (f64, u64), now_ms: u64) -> f64 {
        let passed_ms = now_ms.saturating_sub(at_ms) as f64;
        (left + passed_ms / 1_000.0 * self.per_second).min(self.capacity)
    }

    /// Takes so much, or nothing.
    ///
    /// # Errors
    /// The seconds after which there is so much; what is more than a bucket holds, there never is.
    pub fn take(&self, key: &K, amount: u32, now_ms: u64) -> Result<(), u64> {
        let mut all = self.lock();
        if all.by_key.len() >= all.forget_at && !all.by_key.contains_key(key) {
            all.by_key.retain(|_, bucket| self.filled(*bucket, now_ms) < self.capacity);
            all.forget_at = REMEMBERED_MAX.max(2 * all.by_key.len());
        }
        let bucket = all.by_key.entry(key.clone()).or_insert((self.capacity, now_ms));
        *bucket = (self.filled(*bucket, now_ms), now_ms);
        let lacks = f64::from(amount) - bucket.0;
        if lacks > 0.0 {
            return Err((lacks / self.per_second).ceil() as u64);
        }
        bucket.0 -= f64::from(amount);
        Ok(())
    }

    /// Gives back what was taken.
    pub fn give_back(&self, key: &K, amount: u32) {
        if let Some((left, _)) = self.lock().by_key.get_mut(key) {
            *left = (*left + f64::from(amount)).min(self.capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_filled_again() {
        let buckets = Buckets::new(20, 10.0);
        let check = |key: &str, amount, at_ms, expected| {
            assert_eq!(buckets.take(&key.to_owned(), amount, at_ms), expected, "{key} {at_ms}");
        };
        check("a", 15, 0, Ok(()));
        check("a", 5, 0, Ok(()));
        check("a", 1, 0, Err(1));
        check("a", 20, 0, Err(2));
        // What was refused took nothing, and others have their own.
        check("b", 20, 0, Ok(()));
        check("a", 1, 99, Err(1));
        check("a", 1, 100, Ok(()));
        check("a", 1, 100, Err(1));
        // Never more than a bucket holds; and time that goes back gives nothing.
        check("a", 20, 1_000_000, Ok(()));
        check("a", 1, 999_000, Err(1));
        buckets.give_back(&"a".to_owned(), 99);
        check("a", 20, 1_000_000, Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let buckets = Buckets::new(1, 1.0);
        for n in 0..5 * REMEMBERED_MAX as u64 {
            // Each is full again after a second: so at most 1,000 are needed at any time.
            assert_eq!(buckets.take(&n, 1, n), Ok(()));
            assert!(buckets.lock().by_key.len() <= REMEMBERED_MAX);
        }
        // Those that are needed stay, however many.
        let busy = Buckets::new(1, 0.000_001);
        (0..3 * REMEMBERED_MAX).for_each(|n| assert_eq!(busy.take(&n, 1, 0), Ok(())));
        assert!((0..3 * REMEMBERED_MAX).all(|n| busy.take(&n, 1, 0).is_err()));
    }
}
