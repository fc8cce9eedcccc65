//! Lists of sessions, by what they hear.

use std::collections::HashMap;

/// Takes `slot` out of the list under `key`, and the list out of the map when it was the last.
pub fn remove<K, Q>(lists: &mut HashMap<K, Vec<u32>>, key: &Q, slot: u32)
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
{
    let Some(list) = lists.get_mut(key) else { return };
    if let Some(place) = list.iter().position(|listed| *listed == slot) {
        list.swap_remove(place);
    }
    if list.is_empty() {
        lists.remove(key);
    }
}
