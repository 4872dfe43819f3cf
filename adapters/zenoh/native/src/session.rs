//! Open, close, drain. The session owns every entity it declared: JavaScript holds numbers, so garbage
//! collection can never undeclare anything.

use crate::event::{Event, OpenQuery};
use crate::lanes::Lanes;
use crate::loans::Loans;
use crate::numbers::Numbers;
use crate::options::OpenOptions;
use crate::pump::{Pump, Wake};
use crate::queue::EntityQueue;
use crate::{config, entities::Entity, fail, lock, threads, wire};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zenoh::bytes::ZBytes;

/// Longest that JavaScript's thread looks at a time for something to drain.
const LOOK_MICROS_MAX: u32 = 100;
/// Up to this a batch is copied into the room that JavaScript gives: a buffer of its own costs more than the copy.
const SLAB_COPY_MAX: usize = 4096;

pub struct Shared {
    pub session: zenoh::Session,
    pub pump: Arc<Pump>,
    pub lanes: Arc<Lanes>,
    pub loans: Loans,
    pub entities: Mutex<HashMap<u32, Entity>>,
    /// Queries in the hands of JavaScript. Dropping one tells the asker that no reply will follow.
    pub queries: Mutex<HashMap<u32, OpenQuery>>,
    ids: Numbers,
    /// Of sends that may block: thousands a second, so that they come round within weeks.
    pub tickets: Numbers,
    closed: AtomicBool,
    pinned_shm: Arc<AtomicUsize>,
    pinned_shm_max: usize,
}

impl Shared {
    /// For an entity or a query: never one that either has.
    pub fn next_id(&self) -> u32 {
        self.ids.next_free(|id| {
            let is_entity = lock(&self.entities).contains_key(&id);
            is_entity || lock(&self.queries).contains_key(&id)
        })
    }

    pub fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(fail("closed", "the session is closed"));
        }
        Ok(())
    }
}

#[napi]
pub struct NativeSession {
    pub(crate) shared: Arc<Shared>,
}

#[napi(object)]
pub struct SessionInfo {
    pub zid: String,
    pub routers: Vec<String>,
    pub peers: Vec<String>,
}

#[napi(object)]
pub struct QueueCounters {
    pub received: f64,
    pub dropped: f64,
    pub delivered: f64,
    pub queued: f64,
}

/// Opens a session. `wake` is called, without arguments, when `drain` has something to give.
#[napi]
pub async fn open_session(options: OpenOptions, wake: Wake) -> Result<NativeSession> {
    let config = config::build(&options)?;
    threads::watch();
    let session = zenoh::open(config).await.map_err(|e| fail("open", e))?;
    let pump = Arc::new(Pump::new(wake));
    // Completions are bounded by the lanes, not by this queue.
    let done = Arc::new(EntityQueue::new(0, usize::MAX, usize::MAX));
    Ok(NativeSession {
        shared: Arc::new(Shared {
            session,
            lanes: Arc::new(Lanes::new(pump.clone(), done)),
            loans: Loans::new(options.shared_memory_bytes as usize),
            pump,
            entities: Mutex::default(),
            queries: Mutex::default(),
            ids: Numbers::default(),
            tickets: Numbers::default(),
            closed: AtomicBool::new(false),
            pinned_shm: Arc::default(),
            pinned_shm_max: options.pinned_shm_bytes_max as usize,
        }),
    })
}

#[napi]
impl NativeSession {
    #[napi]
    pub fn zid(&self) -> String {
        self.shared.session.zid().to_string()
    }

    /// Who this session is connected to.
    #[napi]
    pub async fn info(&self) -> Result<SessionInfo> {
        self.shared.check_open()?;
        let info = self.shared.session.info();
        Ok(SessionInfo {
            zid: self.shared.session.zid().to_string(),
            routers: info.routers_zid().await.map(|z| z.to_string()).collect(),
            peers: info.peers_zid().await.map(|z| z.to_string()).collect(),
        })
    }

    /// Whether there is something to drain, now or within `micros`. Blocks that long, giving way to other threads.
    #[napi]
    pub fn look(&self, micros: u32) -> bool {
        self.shared.pump.look(Duration::from_micros(micros.min(LOOK_MICROS_MAX).into()))
    }

    /// Takes up to `max` events out as one batch. A small one is written into `room`, from `at` on: the result is its
    /// length then, below 0 for `more`, 0 for nothing. Any other is an object. With `more` the caller must come back,
    /// after other work had its turn: no wake-up follows.
    #[napi]
    pub fn drain<'env>(
        &self,
        env: &'env Env,
        max: u32,
        mut room: Uint8ArraySlice<'env>,
        at: u32,
    ) -> Result<Either<i32, Object<'env>>> {
        let (events, more) = self.shared.pump.drain(max as usize);
        if events.is_empty() {
            return Ok(Either::A(0));
        }
        let mut batch = wire::Batch::with_capacity(events.len());
        for (entity, event) in events {
            batch.push(entity, event);
        }
        if !batch.queries.is_empty() {
            lock(&self.shared.queries).extend(batch.queries.drain(..));
        }
        for id in batch.ended.drain(..) {
            lock(&self.shared.entities).remove(&id);
        }
        let length = batch.slab.len();
        let at = at as usize;
        if batch.large.is_empty() && length <= SLAB_COPY_MAX && at + length <= room.len() {
            // SAFETY: JavaScript is standing in this very call: nobody else touches its memory.
            let room = unsafe { room.as_mut() };
            room[at..at + length].copy_from_slice(&batch.slab);
            return Ok(Either::A(if more { -(length as i32) } else { length as i32 }));
        }
        let slab = BufferSlice::from_data(env, batch.slab)?;
        let mut large = env.create_array(batch.large.len() as u32)?;
        for (i, payload) in batch.large.into_iter().enumerate() {
            large.set(i as u32, &self.hand_over(env, payload)?)?;
        }
        let mut result = Object::new(env)?;
        result.set("slab", &slab)?;
        result.set("large", large)?;
        result.set("more", more)?;
        Ok(Either::B(result))
    }

    /// A contiguous payload is passed by reference and kept until JavaScript collects the buffer. The
    /// shared-memory pool of the *sender* is small, so only a limited amount may wait for collection.
    fn hand_over<'env>(&self, env: &'env Env, payload: ZBytes) -> Result<BufferSlice<'env>> {
        let len = payload.len();
        let mut slices = payload.slices();
        let first = slices.next().unwrap_or(&[]);
        if first.len() != len {
            let mut whole = Vec::with_capacity(len);
            payload.slices().for_each(|s| whole.extend_from_slice(s));
            return BufferSlice::from_data(env, whole);
        }
        let pinned = payload.as_shm().is_some().then(|| self.shared.pinned_shm.clone());
        if let Some(counter) = &pinned {
            if counter.load(Ordering::Relaxed) + len > self.shared.pinned_shm_max {
                return BufferSlice::copy_from(env, first);
            }
            counter.fetch_add(len, Ordering::Relaxed);
        }
        let data = first.as_ptr() as *mut u8;
        // SAFETY: the payload moves into the finalizer, so its memory outlives the buffer. JavaScript must
        // not write to it; the port says that received bytes are read-only.
        unsafe {
            BufferSlice::from_external(env, data, len, (payload, pinned), move |_, (payload, pinned)| {
                drop(payload);
                if let Some(counter) = pinned {
                    counter.fetch_sub(len, Ordering::Relaxed);
                }
            })
        }
    }

    #[napi]
    pub fn counters(&self, id: u32) -> Option<QueueCounters> {
        let entities = lock(&self.shared.entities);
        let counters = entities.get(&id)?.queue()?.counters();
        Some(QueueCounters {
            received: counters.received as f64,
            dropped: counters.dropped as f64,
            delivered: counters.delivered as f64,
            queued: counters.queued as f64,
        })
    }

    /// Undeclares everything and closes. Gets still open end (their completion can still be drained).
    #[napi]
    pub async fn close(&self) -> Result<()> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.shared.lanes.close();
        // Taken out under the lock, destroyed outside of it: undeclaring sends messages.
        let entities = std::mem::take(&mut *lock(&self.shared.entities));
        let queries = std::mem::take(&mut *lock(&self.shared.queries));
        drop(queries);
        for entity in entities.into_values() {
            entity.end();
        }
        self.shared.session.close().await.map_err(|e| fail("close", e))
    }

    /// After close and a last drain: lets the event loop end.
    #[napi]
    pub fn release(&self) {
        self.shared.pump.release();
    }
}

impl Shared {
    pub fn push(&self, queue: &Arc<EntityQueue>, event: Event) {
        self.pump.push(queue, event);
    }
}
