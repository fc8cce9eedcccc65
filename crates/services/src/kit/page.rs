//! Lists, a page at a time.

use serde::{Deserialize, Serialize};

use super::{Code, Fault, present};

/// How many items a page has if nothing is said.
pub const PAGE_LEN: i64 = 100;
/// The most items of a page.
pub const PAGE_LEN_MAX: i64 = 1_000;

/// The part of a request that says which page.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Paging {
    /// At most so many items: 1 to 1,000, 100 if absent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    /// `next` of the page before; absent: the first page.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Paging {
    /// How many items the page may have.
    ///
    /// # Errors
    /// [`Code::Invalid`] outside the bounds.
    pub fn page_len(&self) -> Result<usize, Fault> {
        let limit = self.limit.unwrap_or(PAGE_LEN);
        if (1..=PAGE_LEN_MAX).contains(&limit) {
            Ok(limit as usize)
        } else {
            Err(Fault::new(Code::Invalid, format!("limit: 1 to {PAGE_LEN_MAX}")))
        }
    }

    /// The place after which the page begins, where places are numbers; `None` for the first page.
    ///
    /// # Errors
    /// [`Code::Invalid`] for a cursor that no page gave.
    pub fn after(&self) -> Result<Option<i64>, Fault> {
        let place = |cursor: &String| cursor.parse().map_err(|_| wrong_cursor());
        self.cursor.as_ref().map(place).transpose()
    }
}

/// What is said of a cursor that no page gave.
pub fn wrong_cursor() -> Fault {
    Fault::new(Code::Invalid, "cursor: not one that a page gave")
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the page after this; `null` when this is the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The page of at most `len` items, of which one more than that was read if there is one; `place`
    /// gives an item's cursor.
    pub fn of(mut items: Vec<T>, len: usize, place: impl Fn(&T) -> String) -> Page<T> {
        let more = items.len() > len;
        items.truncate(len);
        let next = items.last().filter(|_| more).map(place);
        Page { items, next }
    }
}
