//! Asking (get, liveliness get) and answering (reply, error reply, finish).

use crate::entities::{key, owned, Entity};
use crate::event::{bare, query_bytes, Event, OpenQuery};
use crate::options::query_target;
use crate::queue::EntityQueue;
use crate::room::Room;
use crate::session::{NativeSession, Shared};
use crate::{fail, lock};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Duration;
use zenoh::bytes::Encoding;
use zenoh::cancellation::CancellationToken;
use zenoh::handlers::CallbackDrop;
use zenoh::query::{ConsolidationMode, Query, Reply, Selector};
use zenoh::Wait;

/// Lane of queries and replies: they are small and somebody waits for each.
pub(crate) const QUERY_LANE: u8 = 0;

/// Refusals, each an `ErrorBody` of the contract.
pub(crate) const BUSY: &str = concat!(
    r#"{"code":"cell.overloaded","operation":"query","subject":"queryable","#,
    r#""message":"too many queries, or too large ones, wait for an answer","hint":"ask again later","retryable":true}"#
);
pub(crate) const TOO_LARGE: &str = concat!(
    r#"{"code":"sample.too_large","operation":"query","subject":"queryable","#,
    r#""message":"the query is larger than all that may wait for an answer","hint":"send less","retryable":false}"#
);

/// The end of a get is when Zenoh drops its callback; that covers answered, timed out, cancelled, closed.
/// JavaScript holds all replies until then, so that `room` is never given back.
fn collector(shared: &Shared, queue: &Arc<EntityQueue>, room: Room) -> CallbackDrop<impl Fn(Reply), impl FnMut()> {
    let (pump, sink) = (shared.pump.clone(), queue.clone());
    let (last_pump, last_sink) = (pump.clone(), sink.clone());
    let lost = Arc::new(AtomicU32::new(0));
    let lost_in_all = lost.clone();
    let lanes = shared.lanes.clone();
    CallbackDrop {
        callback: move |reply: Reply| {
            let event = Event::Reply(reply);
            if room.take(event.weight()) {
                pump.push(&sink, event);
            } else {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        },
        drop: move || {
            let lost = lost_in_all.load(Ordering::Relaxed);
            last_pump.push(&last_sink, Event::GetDone { lost });
            // Who was answered often asks again.
            lanes.expect(QUERY_LANE);
        },
    }
}

impl Shared {
    /// The queryable has no room for it. Its payload is let go now, not when the answer has been sent.
    pub fn refuse(&self, query: Query, why: &'static str) {
        let query = bare(query);
        let bytes = query_bytes(&query);
        let work = move || query.reply_err(why).encoding(Encoding::APPLICATION_JSON).wait().map_err(|e| e.to_string());
        // When even this cannot be queued the query is dropped, which ends it for the asker as well.
        let _ = self.lanes.submit(QUERY_LANE, bytes, 0, Box::new(work));
    }
}

#[napi]
impl NativeSession {
    /// Returns the id of the get; its replies and its end arrive through `drain`: all of them, who asks decides what is a
    /// duplicate. Of the replies so many, and so many bytes together, are kept for JavaScript; further ones are counted.
    /// No object of options: reading one through the C interface takes longer than asking.
    #[napi]
    #[allow(clippy::too_many_arguments)]
    pub fn get(
        &self,
        key_expr: String,
        parameters: String,
        payload: Option<&[u8]>,
        attachment: Option<&[u8]>,
        encoding: Option<String>,
        target: String,
        timeout_ms: u32,
        replies_max: u32,
        replies_bytes_max: f64,
    ) -> Result<u32> {
        self.shared.check_open()?;
        let key_expr = key(key_expr)?;
        let target = query_target(&target)?;
        let (payload, attachment) = (payload.map(owned), attachment.map(owned));
        let bytes = payload.as_ref().map_or(0, |p| p.len());
        let (id, queue, cancel) = self.begin();
        let room = Room::new(replies_max as usize, replies_bytes_max as usize);
        let handler = collector(&self.shared, &queue, room);
        let (session, token) = (self.shared.session.clone(), cancel.clone());
        let work = move || {
            let mut builder = session
                .get(Selector::owned(key_expr, parameters))
                .target(target)
                .consolidation(ConsolidationMode::None)
                .timeout(Duration::from_millis(timeout_ms as u64))
                .attachment(attachment)
                .cancellation_token(token);
            if let Some(payload) = payload {
                builder = builder.payload(payload);
            }
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            builder.with(handler).wait().map_err(|e| e.to_string())
        };
        self.start(id, queue, cancel, bytes, Box::new(work))
    }

    #[napi]
    pub fn liveliness_get(&self, key_expr: String, timeout_ms: u32, replies_max: u32, replies_bytes_max: f64) -> Result<u32> {
        self.shared.check_open()?;
        let key_expr = key(key_expr)?;
        let (id, queue, cancel) = self.begin();
        let room = Room::new(replies_max as usize, replies_bytes_max as usize);
        let handler = collector(&self.shared, &queue, room);
        let (session, token) = (self.shared.session.clone(), cancel.clone());
        let work = move || {
            let liveliness = session.liveliness();
            let builder = liveliness.get(key_expr).timeout(Duration::from_millis(timeout_ms as u64));
            builder.cancellation_token(token).with(handler).wait().map_err(|e| e.to_string())
        };
        self.start(id, queue, cancel, 0, Box::new(work))
    }

    fn begin(&self) -> (u32, Arc<EntityQueue>, CancellationToken) {
        let id = self.shared.next_id();
        (id, Arc::new(EntityQueue::new(id, usize::MAX, usize::MAX)), CancellationToken::default())
    }

    fn start(
        &self,
        id: u32,
        queue: Arc<EntityQueue>,
        cancel: CancellationToken,
        bytes: usize,
        work: Box<dyn FnOnce() -> std::result::Result<(), String> + Send>,
    ) -> Result<u32> {
        self.shared.add_as(id, Entity::Get { queue, cancel });
        let started = self.shared.lanes.submit(QUERY_LANE, bytes, 0, work);
        if started.is_err() {
            lock(&self.shared.entities).remove(&id);
        }
        started.map(|()| id)
    }

    /// Answers for a key and ends the query. Both in one job: they travel as one packet, so that who asked
    /// is woken once.
    #[napi]
    pub fn reply(
        &self,
        query: u32,
        key_expr: String,
        payload: &[u8],
        encoding: Option<String>,
        attachment: Option<&[u8]>,
    ) -> Result<()> {
        let key_expr = key(key_expr)?;
        let open = self.take_query(query)?;
        let bytes = payload.len();
        let (payload, attachment) = (owned(payload), attachment.map(owned));
        let work = move || {
            let query = open.vacate();
            let mut builder = query.reply(key_expr, payload).attachment(attachment);
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            builder.wait().map_err(|e| e.to_string())
        };
        self.shared.lanes.submit(QUERY_LANE, bytes, 0, Box::new(work))
    }

    /// Answers for a key and leaves the query open: more follows.
    #[napi]
    pub fn reply_part(
        &self,
        query: u32,
        key_expr: String,
        payload: &[u8],
        encoding: Option<String>,
        attachment: Option<&[u8]>,
    ) -> Result<()> {
        self.shared.check_open()?;
        let key_expr = key(key_expr)?;
        let found = lock(&self.shared.queries).get(&query).map(|open| open.query.clone());
        let query = found.ok_or_else(|| fail("unknown", format!("no open query {query}")))?;
        let bytes = payload.len();
        let (payload, attachment) = (owned(payload), attachment.map(owned));
        let work = move || {
            let mut builder = query.reply(key_expr, payload).attachment(attachment);
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            builder.wait().map_err(|e| e.to_string())
        };
        self.shared.lanes.submit(QUERY_LANE, bytes, 0, Box::new(work))
    }

    /// Answers with an error and ends the query.
    #[napi]
    pub fn reply_error(&self, query: u32, payload: &[u8], encoding: Option<String>) -> Result<()> {
        let open = self.take_query(query)?;
        let payload = owned(payload);
        let work = move || {
            let query = open.vacate();
            let mut builder = query.reply_err(payload);
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            builder.wait().map_err(|e| e.to_string())
        };
        self.shared.lanes.submit(QUERY_LANE, 0, 0, Box::new(work))
    }

    /// Ends a query without an answer; nothing when it has been answered.
    #[napi]
    pub fn finish(&self, query: u32) -> Result<()> {
        let Some(open) = lock(&self.shared.queries).remove(&query) else { return Ok(()) };
        // On the lane: telling the asker may block.
        let work = move || {
            drop(open);
            Ok(())
        };
        self.shared.lanes.submit(QUERY_LANE, 0, 0, Box::new(work))
    }

    fn take_query(&self, id: u32) -> Result<OpenQuery> {
        self.shared.check_open()?;
        let found = lock(&self.shared.queries).remove(&id);
        found.ok_or_else(|| fail("unknown", format!("no open query {id}")))
    }
}
