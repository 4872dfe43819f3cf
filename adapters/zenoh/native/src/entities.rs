//! Subscribers, queryables, liveliness tokens and subscribers.

use crate::event::{query_bytes, Event, OpenQuery};
use crate::options::QueueLimits;
use crate::publishers::Sender;
use crate::queries::{BUSY, QUERY_LANE, TOO_LARGE};
use crate::queue::EntityQueue;
use crate::room::Room;
use crate::session::{NativeSession, Shared};
use crate::{fail, lock};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::{Arc, Weak};
use zenoh::bytes::ZBytes;
use zenoh::key_expr::KeyExpr;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::Subscriber;
use zenoh::query::{Query, Queryable};
use zenoh::sample::Sample;
use zenoh::Wait;
use zenoh_ext::{AdvancedSubscriber, AdvancedSubscriberBuilderExt, HistoryConfig, RecoveryConfig};

pub enum Entity {
    Publisher { sender: Arc<Sender>, priority: u8, block: bool },
    Subscriber { _subscriber: Receiver, queue: Arc<EntityQueue> },
    Queryable { _queryable: Queryable<()>, queue: Arc<EntityQueue> },
    Token(#[allow(dead_code)] LivelinessToken),
    Get { queue: Arc<EntityQueue>, cancel: zenoh::cancellation::CancellationToken },
}

/// With `history` an advanced subscriber: it fetches what was published before, and what it missed.
pub enum Receiver {
    Plain(#[allow(dead_code)] Subscriber<()>),
    Advanced(#[allow(dead_code)] AdvancedSubscriber<()>),
}

impl Entity {
    pub fn queue(&self) -> Option<&Arc<EntityQueue>> {
        match self {
            Entity::Subscriber { queue, .. } | Entity::Queryable { queue, .. } | Entity::Get { queue, .. } => Some(queue),
            _ => None,
        }
    }

    /// Ends the entity. The queue of a get stays open: somebody waits for its completion.
    pub fn end(self) {
        match self {
            Entity::Get { cancel, .. } => drop(cancel.cancel().wait()),
            Entity::Subscriber { queue, .. } | Entity::Queryable { queue, .. } => queue.close(),
            _ => {}
        }
    }
}

pub fn key(text: String) -> Result<KeyExpr<'static>> {
    KeyExpr::try_from(text).map_err(|e| fail("key", e))
}

/// JavaScript may change its buffer as soon as the call returns, so what is sent is a copy.
pub fn owned(bytes: &[u8]) -> ZBytes {
    ZBytes::from(bytes.to_vec())
}

#[napi]
impl NativeSession {
    /// An id for the declarations below. Asked for first, so that the receiver is in place
    /// before the first event: history and queries may come before the declaring call returns.
    #[napi]
    pub fn reserve(&self) -> u32 {
        self.shared.next_id()
    }

    #[napi]
    pub async fn declare_subscriber(&self, id: u32, key_expr: String, history: Option<u32>, limits: QueueLimits) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            let queue = shared.queue(id, &limits)?;
            let builder = shared.session.declare_subscriber(key(key_expr)?).callback(shared.sink(&queue));
            // As rmw_zenoh does for `transient_local`: publishers that come later are asked too, and a
            // gap in their sequence is fetched again.
            let subscriber = match history {
                None => builder.wait().map(Receiver::Plain),
                Some(samples) => {
                    let config = HistoryConfig::default().detect_late_publishers();
                    let config = if samples == 0 { config } else { config.max_samples(samples as usize) };
                    let builder = builder.history(config).recovery(RecoveryConfig::default().heartbeat());
                    builder.wait().map(Receiver::Advanced)
                }
            };
            let subscriber = subscriber.map_err(|e| fail("declare", e))?;
            shared.add_as(id, Entity::Subscriber { _subscriber: subscriber, queue });
            Ok(())
        })
        .await
    }

    #[napi]
    pub async fn declare_liveliness_subscriber(&self, id: u32, key_expr: String, history: bool, limits: QueueLimits) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            let queue = shared.queue(id, &limits)?;
            let builder = shared.session.liveliness().declare_subscriber(key(key_expr)?).history(history);
            let subscriber = builder.callback(shared.sink(&queue)).wait().map_err(|e| fail("declare", e))?;
            shared.add_as(id, Entity::Subscriber { _subscriber: Receiver::Plain(subscriber), queue });
            Ok(())
        })
        .await
    }

    #[napi]
    pub async fn declare_token(&self, id: u32, key_expr: String) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            shared.check_open()?;
            let token = shared.session.liveliness().declare_token(key(key_expr)?).wait();
            shared.add_as(id, Entity::Token(token.map_err(|e| fail("declare", e))?));
            Ok(())
        })
        .await
    }

    /// `limits` bounds the queries that are unanswered at any time, by their number and by their bytes: each
    /// keeps its payload until it is answered. A further one gets an error reply at once, so that its asker does
    /// not wait for a deadline.
    #[napi]
    pub async fn declare_queryable(&self, id: u32, key_expr: String, complete: bool, limits: QueueLimits) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            let queue = shared.queue(id, &limits)?;
            let (weak, sink): (Weak<Shared>, _) = (Arc::downgrade(&shared), queue.clone());
            let room = Arc::new(Room::new(limits.depth as usize, limits.bytes as usize));
            let handler = move |query: Query| {
                let Some(shared) = weak.upgrade() else { return };
                match OpenQuery::admit(query, &room) {
                    Ok(open) => {
                        shared.push(&sink, Event::Query { id: shared.next_id(), open });
                        // After JavaScript, so that it gets the core that is free.
                        shared.lanes.expect(QUERY_LANE);
                    }
                    Err(query) => {
                        let fits = room.could_ever_take(query_bytes(&query));
                        shared.refuse(query, if fits { BUSY } else { TOO_LARGE });
                    }
                }
            };
            let builder = shared.session.declare_queryable(key(key_expr)?).complete(complete);
            let queryable = builder.callback(handler).wait().map_err(|e| fail("declare", e))?;
            shared.add_as(id, Entity::Queryable { _queryable: queryable, queue });
            Ok(())
        })
        .await
    }

    /// Ends a publisher, subscriber, queryable, token or get. Twice is once.
    #[napi]
    pub async fn undeclare(&self, id: u32) -> Result<()> {
        let entity = lock(&self.shared.entities).remove(&id);
        match entity {
            None => Ok(()),
            Some(entity) => off_thread(move || Ok(entity.end())).await,
        }
    }
}

/// Declaring and undeclaring send messages that may block on a congested link: never on the thread of
/// JavaScript, nor on the few threads that all async calls share.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|e| fail("internal", e))?
}

impl Shared {
    fn queue(&self, id: u32, limits: &QueueLimits) -> Result<Arc<EntityQueue>> {
        self.check_open()?;
        Ok(Arc::new(EntityQueue::new(id, limits.depth as usize, limits.bytes as usize)))
    }

    fn sink(&self, queue: &Arc<EntityQueue>) -> impl Fn(Sample) + Send + Sync + 'static {
        let (pump, queue) = (self.pump.clone(), queue.clone());
        move |sample| pump.push(&queue, Event::Sample(sample))
    }

    pub(crate) fn add(&self, entity: Entity) -> u32 {
        self.add_as(self.next_id(), entity)
    }

    pub(crate) fn add_as(&self, id: u32, entity: Entity) -> u32 {
        let before = lock(&self.entities).insert(id, entity);
        // Destroyed outside of the lock: undeclaring sends messages.
        drop(before);
        id
    }
}
