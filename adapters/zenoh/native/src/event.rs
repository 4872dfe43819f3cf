//! What can wait in a queue for JavaScript.

use crate::room::Room;
use std::sync::Arc;
use zenoh::bytes::ZBytes;
use zenoh::query::{Query, Reply};
use zenoh::sample::Sample;

/// A query together with its place among the unanswered queries of its queryable.
///
/// The place goes first: dropping the query tells the asker, who may ask again at once.
pub struct OpenQuery {
    place: Place,
    pub query: Query,
}

impl OpenQuery {
    /// Gives the query back when the others that are open leave no room for it.
    pub fn admit(query: Query, room: &Arc<Room>) -> Result<Self, Query> {
        let bytes = query_bytes(&query);
        if !room.take(bytes) {
            return Err(query);
        }
        Ok(Self { place: Place { room: room.clone(), bytes }, query })
    }

    /// For who is about to answer: an asker that has its answer finds room for its next query.
    pub fn vacate(self) -> Query {
        drop(self.place);
        bare(self.query)
    }
}

struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

/// The query without what it brought: it can be answered, and keeps alive only its key and its parameters.
pub fn bare(mut query: Query) -> Query {
    if let Some(payload) = query.payload_mut() {
        *payload = ZBytes::new();
    }
    if let Some(attachment) = query.attachment_mut() {
        *attachment = ZBytes::new();
    }
    query
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
    /// Bytes this event keeps alive, whatever part of a message a stranger put them into; what byte limits count.
    pub fn weight(&self) -> usize {
        match self {
            Event::Sample(sample) => sample_bytes(sample),
            Event::Query { open, .. } => query_bytes(&open.query),
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

pub fn query_bytes(query: &Query) -> usize {
    let texts = query.key_expr().as_str().len() + query.parameters().as_str().len();
    texts + length(query.payload()) + length(query.attachment())
}

fn sample_bytes(sample: &Sample) -> usize {
    sample.key_expr().as_str().len() + sample.payload().len() + length(sample.attachment())
}

fn length(bytes: Option<&ZBytes>) -> usize {
    bytes.map_or(0, |bytes| bytes.len())
}
