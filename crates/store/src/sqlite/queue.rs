//! A bounded queue between the door's threads and those of the store.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// First in, first out; full means full: what does not fit is handed back at once.
///
/// Any thread puts in; the writer's thread, or one of the readers', takes out. A mutex and a
/// condition rather than a channel: several readers take from one queue, metrics ask for its
/// depth, and closing it must still let what is in it be taken.
pub(crate) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
    len_max: usize,
}

struct Inner<T> {
    items: VecDeque<T>,
    /// Takers that sleep: nobody is woken when none does.
    sleeping: usize,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(len_max: usize) -> Self {
        let inner = Inner { items: VecDeque::new(), sleeping: 0, closed: false };
        Queue { inner: Mutex::new(inner), filled: Condvar::new(), len_max }
    }

    /// Puts `item` in, or hands it back when the queue is full or closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.closed || inner.items.len() >= self.len_max {
            return Err(item);
        }
        inner.items.push_back(item);
        let wake = inner.sleeping > 0;
        drop(inner);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Puts items in, in order, under one lock and with one wake-up, so that they are
    /// taken together. Hands back those that did not fit.
    pub(crate) fn push_all(&self, mut items: Vec<T>) -> Vec<T> {
        let mut inner = self.lock();
        let room = if inner.closed { 0 } else { self.len_max.saturating_sub(inner.items.len()) };
        let rest = items.split_off(room.min(items.len()));
        inner.items.extend(items);
        let wake = inner.sleeping > 0 && !inner.items.is_empty();
        drop(inner);
        if wake {
            self.filled.notify_one();
        }
        rest
    }

    /// Takes the next item if there is one.
    pub(crate) fn try_pop(&self) -> Option<T> {
        self.lock().items.pop_front()
    }

    /// Waits for the next item; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.items.pop_front() {
                return Some(item);
            }
            if inner.closed {
                return None;
            }
            inner.sleeping += 1;
            inner = self.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.sleeping -= 1;
        }
    }

    /// Takes nothing in any more; what is in it can still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Closes it and forgets what is in it.
    pub(crate) fn abandon(&self) {
        self.close();
        let items = std::mem::take(&mut self.lock().items);
        drop(items);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// No code of others runs under this lock, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
