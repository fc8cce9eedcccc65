//! What goes to the writer, and what comes back from it.
//!
//! A [`Write`] is a decision with the place its answer goes to. The writer runs many in one
//! transaction and hands back a [`Batch`]: an [`Answer`] for each, in order. Only a decision that
//! was committed has its [`Committed`] reply.

use std::{sync::Arc, time::Duration};

use crate::{
    change::{Fault, Logged, Micros, Offset, Outcome},
    tx::Tx,
};

/// A decision: it runs inside a transaction, and again from the start if the transaction has to be
/// repeated, so it must not give away what it holds.
pub type Run<A> = Box<dyn FnMut(&mut Tx<'_>) -> Result<Outcome<A>, Fault> + Send>;

/// One command for the writer: `A` is what the decision answers, `R` where the answer goes.
pub struct Write<A, R> {
    /// The wall time that the log keeps for what the decision makes happen.
    pub at: Micros,
    /// The decision.
    pub run: Run<A>,
    /// Where the answer goes; the store hands it back untouched.
    pub to: R,
}

/// What a committed decision came to. Holding one is the proof that COMMIT has returned: no one
/// but the writer can make it.
#[derive(Debug)]
pub struct Committed<A> {
    reply: A,
    logged: Vec<Arc<Logged>>,
}

impl<A> Committed<A> {
    pub(crate) fn new(reply: A, logged: Vec<Arc<Logged>>) -> Self {
        Committed { reply, logged }
    }

    /// The answer to the caller.
    pub fn reply(&self) -> &A {
        &self.reply
    }

    /// The rows of the log that it wrote, in order.
    pub fn logged(&self) -> &[Arc<Logged>] {
        &self.logged
    }

    /// The answer and the rows, to keep.
    pub fn into_parts(self) -> (A, Vec<Arc<Logged>>) {
        (self.reply, self.logged)
    }
}

/// The end of one [`Write`].
#[derive(Debug)]
pub struct Answer<A, R> {
    /// Where it goes.
    pub to: R,
    /// What was committed, or why nothing was.
    pub result: Result<Committed<A>, Fault>,
}

/// One committed transaction, or several when a batch had to be repeated one by one.
#[derive(Debug)]
pub struct Batch<A, R> {
    /// One per write, in the order in which they were run, which is the order of the log.
    pub answers: Vec<Answer<A, R>>,
    /// The last offset of the log after this batch.
    pub head: Offset,
    /// What it cost.
    pub stats: BatchStats,
    /// What went wrong inside, for the operator's log: callers only hear a [`Fault`].
    pub incidents: Vec<Incident>,
}

/// What a batch cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchStats {
    /// Rows inserted, updated or deleted, the log's own among them.
    pub rows: u64,
    /// From the first command's start to COMMIT.
    pub decide: Duration,
    /// COMMIT, fsync included.
    pub commit: Duration,
}

/// Why a caller was told `Internal`, `Timeout` or `Full`, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Which answer of the batch it belongs to.
    pub answer: usize,
    /// What happened, with the statement or the panic's message.
    pub cause: String,
}
