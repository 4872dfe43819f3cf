//! What can wait in a queue for JavaScript.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use zenoh::bytes::ZBytes;
use zenoh::query::{Query, Reply};
use zenoh::sample::Sample;

/// A query together with its place among the unanswered queries of its queryable.
pub struct OpenQuery {
    pub query: Query,
    _place: Place,
}

impl OpenQuery {
    /// Gives the query back when `max` others are still open.
    pub fn admit(query: Query, open: &Arc<AtomicUsize>, max: usize) -> Result<Self, Query> {
        let admitted = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < max).then_some(n + 1));
        if admitted.is_err() {
            return Err(query);
        }
        Ok(Self { query, _place: Place(open.clone()) })
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

pub enum Event {
    /// A publication, or the coming and going of a liveliness token.
    Sample(Sample),
    /// A query that JavaScript must answer; `id` names it in `reply`, `replyError` and `finish`.
    Query { id: u32, open: OpenQuery },
    Reply(Reply),
    /// A get has ended: all answered, timed out or cancelled. `lost` replies exceeded its limit.
    GetDone { lost: u32 },
    /// A send that may block has ended.
    SendDone { ticket: u32, error: Option<String> },
}

impl Event {
    /// Bytes this event keeps alive, whatever part of a message a stranger put them into; what the byte limit
    /// of a queue counts.
    pub fn weight(&self) -> usize {
        match self {
            Event::Sample(sample) => sample_bytes(sample),
            Event::Query { open: OpenQuery { query, .. }, .. } => {
                let texts = query.key_expr().as_str().len() + query.parameters().as_str().len();
                texts + length(query.payload()) + length(query.attachment())
            }
            Event::Reply(reply) => match reply.result() {
                Ok(sample) => sample_bytes(sample),
                Err(error) => error.payload().len(),
            },
            _ => 0,
        }
    }

    /// Completions are never dropped: somebody awaits them.
    pub fn droppable(&self) -> bool {
        matches!(self, Event::Sample(_))
    }
}

fn sample_bytes(sample: &Sample) -> usize {
    sample.key_expr().as_str().len() + sample.payload().len() + length(sample.attachment())
}

fn length(bytes: Option<&ZBytes>) -> usize {
    bytes.map_or(0, |bytes| bytes.len())
}
