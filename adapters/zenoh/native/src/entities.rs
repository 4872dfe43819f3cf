//! Publishers, subscribers, queryables, liveliness tokens and subscribers.

use crate::event::{Event, OpenQuery};
use crate::options::{congestion, Delivery, QueueLimits};
use crate::queue::EntityQueue;
use crate::session::{NativeSession, Shared};
use crate::{fail, lock, reason};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Weak};
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::key_expr::KeyExpr;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::Reliability;
use zenoh::query::{Query, Queryable};
use zenoh::sample::Sample;
use zenoh::Wait;

pub enum Entity {
    Publisher { publisher: Arc<Publisher<'static>>, priority: u8, block: bool },
    Subscriber { _subscriber: Subscriber<()>, queue: Arc<EntityQueue> },
    Queryable { _queryable: Queryable<()>, queue: Arc<EntityQueue> },
    Token(#[allow(dead_code)] LivelinessToken),
    Get { queue: Arc<EntityQueue>, cancel: zenoh::cancellation::CancellationToken },
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
    #[napi]
    pub async fn declare_publisher(&self, key_expr: String, encoding: Option<String>, block: bool, delivery: Delivery) -> Result<u32> {
        let shared = self.shared.clone();
        off_thread(move || {
            shared.check_open()?;
            let priority = delivery.priority()?;
            let best_effort = delivery.best_effort.unwrap_or(false);
            let mut builder = shared.session.declare_publisher(key(key_expr)?);
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            let publisher = builder
                .priority(priority)
                .express(delivery.express.unwrap_or(false))
                .congestion_control(congestion(block))
                .reliability(if best_effort { Reliability::BestEffort } else { Reliability::Reliable })
                .wait()
                .map_err(|e| fail("declare", e))?;
            Ok(shared.add(Entity::Publisher { publisher: Arc::new(publisher), priority: priority as u8, block }))
        })
        .await
    }

    /// Sends. A publisher declared with `block` sends on its lane and reports `ticket`; any other sends
    /// now, and may drop when the link is congested. Returns true when a completion will follow.
    #[napi]
    pub fn put(&self, publisher: u32, payload: &[u8], attachment: Option<&[u8]>, encoding: Option<String>) -> Result<u32> {
        let payload = owned(payload);
        let attachment = attachment.map(owned);
        let encoding = encoding.map(Encoding::from);
        self.publish(publisher, payload.len(), move |p| {
            let mut builder = p.put(payload);
            if let Some(encoding) = encoding {
                builder = builder.encoding(encoding);
            }
            builder.attachment(attachment).wait()
        })
    }

    #[napi]
    pub fn put_delete(&self, publisher: u32, attachment: Option<&[u8]>) -> Result<u32> {
        let attachment = attachment.map(owned);
        self.publish(publisher, 0, move |p| p.delete().attachment(attachment).wait())
    }

    fn publish<F>(&self, id: u32, bytes: usize, send: F) -> Result<u32>
    where
        F: FnOnce(&Publisher<'static>) -> zenoh::Result<()> + Send + 'static,
    {
        self.shared.check_open()?;
        let (publisher, priority, block) = match lock(&self.shared.entities).get(&id) {
            Some(Entity::Publisher { publisher, priority, block }) => (publisher.clone(), *priority, *block),
            _ => return Err(fail("unknown", format!("no publisher {id}"))),
        };
        if !block {
            send(&publisher).map_err(|e| fail("put", e))?;
            return Ok(0);
        }
        let ticket = self.shared.next_id();
        let work = move || send(&publisher).map_err(|e| reason("put", e));
        self.shared.lanes.submit(priority, bytes, ticket, Box::new(work))?;
        Ok(ticket)
    }

    /// An id for the declarations below. Asked for first, so that the receiver is in place
    /// before the first event: history and queries may come before the declaring call returns.
    #[napi]
    pub fn reserve(&self) -> u32 {
        self.shared.next_id()
    }

    #[napi]
    pub async fn declare_subscriber(&self, id: u32, key_expr: String, limits: QueueLimits) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            let queue = shared.queue(id, &limits)?;
            let subscriber = shared.session.declare_subscriber(key(key_expr)?).callback(shared.sink(&queue)).wait();
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
            shared.add_as(id, Entity::Subscriber { _subscriber: subscriber, queue });
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

    /// `limits.depth` bounds the queries that are unanswered at any time; a further one gets an error
    /// reply at once, so that its asker does not wait for a deadline.
    #[napi]
    pub async fn declare_queryable(&self, id: u32, key_expr: String, complete: bool, limits: QueueLimits) -> Result<()> {
        let shared = self.shared.clone();
        off_thread(move || {
            let queue = shared.queue(id, &limits)?;
            let (weak, sink): (Weak<Shared>, _) = (Arc::downgrade(&shared), queue.clone());
            let (open, open_max) = (Arc::new(AtomicUsize::new(0)), limits.depth as usize);
            let handler = move |query: Query| {
                let Some(shared) = weak.upgrade() else { return };
                match OpenQuery::admit(query, &open, open_max) {
                    Ok(open) => shared.push(&sink, Event::Query { id: shared.next_id(), open }),
                    Err(query) => shared.refuse(query),
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
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
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
        lock(&self.entities).insert(id, entity);
        id
    }
}
