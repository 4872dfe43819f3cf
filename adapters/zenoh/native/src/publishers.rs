//! Publishers and what is sent through them.

use crate::entities::{key, off_thread, owned, Entity};
use crate::options::{congestion, Delivery};
use crate::session::NativeSession;
use crate::{fail, lock, reason};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::sync::Arc;
use std::time::Duration;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::pubsub::Publisher;
use zenoh::qos::Reliability;
use zenoh::Wait;
use zenoh_ext::{AdvancedPublisher, AdvancedPublisherBuilderExt, CacheConfig, MissDetectionConfig};

/// How often an advanced publisher tells its newest sequence number, and only when it has changed: a
/// subscriber that lost the last value of a burst learns of it then.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// With a cache an advanced publisher: late subscribers get its last values, and gaps can be filled.
pub enum Sender {
    Plain(Publisher<'static>),
    Advanced(AdvancedPublisher<'static>),
}

impl Sender {
    fn put(&self, payload: ZBytes, attachment: Option<ZBytes>, encoding: Option<Encoding>) -> zenoh::Result<()> {
        match self {
            Sender::Plain(publisher) => {
                let builder = publisher.put(payload).attachment(attachment);
                match encoding {
                    Some(encoding) => builder.encoding(encoding).wait(),
                    None => builder.wait(),
                }
            }
            Sender::Advanced(publisher) => {
                let builder = publisher.put(payload).attachment(attachment);
                match encoding {
                    Some(encoding) => builder.encoding(encoding).wait(),
                    None => builder.wait(),
                }
            }
        }
    }

    fn delete(&self, attachment: Option<ZBytes>) -> zenoh::Result<()> {
        match self {
            Sender::Plain(publisher) => publisher.delete().attachment(attachment).wait(),
            Sender::Advanced(publisher) => publisher.delete().attachment(attachment).wait(),
        }
    }
}

#[napi]
impl NativeSession {
    /// `cache` above 0 keeps that many values for subscribers with history.
    #[napi]
    pub async fn declare_publisher(
        &self,
        key_expr: String,
        encoding: Option<String>,
        block: bool,
        cache: u32,
        delivery: Delivery,
    ) -> Result<u32> {
        let shared = self.shared.clone();
        off_thread(move || {
            shared.check_open()?;
            let priority = delivery.priority()?;
            let best_effort = delivery.best_effort.unwrap_or(false);
            let mut builder = shared.session.declare_publisher(key(key_expr)?);
            if let Some(encoding) = encoding {
                builder = builder.encoding(Encoding::from(encoding));
            }
            let builder = builder
                .priority(priority)
                .express(delivery.express.unwrap_or(false))
                .congestion_control(congestion(block))
                .reliability(if best_effort { Reliability::BestEffort } else { Reliability::Reliable });
            let sender = if cache == 0 {
                builder.wait().map(Sender::Plain)
            } else {
                let advanced = builder.cache(CacheConfig::default().max_samples(cache as usize)).publisher_detection();
                let misses = MissDetectionConfig::default().sporadic_heartbeat(HEARTBEAT);
                advanced.sample_miss_detection(misses).wait().map(Sender::Advanced)
            };
            let sender = Arc::new(sender.map_err(|e| fail("declare", e))?);
            Ok(shared.add(Entity::Publisher { sender, priority: priority as u8, block }))
        })
        .await
    }

    /// Sends. A publisher declared with `block` sends on its lane and the result is a ticket, whose
    /// completion comes through `drain`; any other sends now (0), and may drop when the link is congested.
    #[napi]
    pub fn put(&self, publisher: u32, payload: &[u8], attachment: Option<&[u8]>, encoding: Option<String>) -> Result<u32> {
        let payload = owned(payload);
        self.send(publisher, payload, attachment, encoding)
    }

    /// Sends memory from `allocate` without a copy. The caller has detached its view: nobody writes any more.
    #[napi]
    pub fn put_allocated(&self, publisher: u32, loan: u32, attachment: Option<&[u8]>, encoding: Option<String>) -> Result<u32> {
        let payload = self.shared.loans.take(loan).ok_or_else(|| fail("unknown", format!("no allocated memory {loan}")))?;
        self.send(publisher, payload, attachment, encoding)
    }

    #[napi]
    pub fn put_delete(&self, publisher: u32, attachment: Option<&[u8]>) -> Result<u32> {
        let attachment = attachment.map(owned);
        self.publish(publisher, 0, move |p| p.delete(attachment))
    }

    fn send(&self, publisher: u32, payload: ZBytes, attachment: Option<&[u8]>, encoding: Option<String>) -> Result<u32> {
        let attachment = attachment.map(owned);
        let encoding = encoding.map(Encoding::from);
        self.publish(publisher, payload.len(), move |p| p.put(payload, attachment, encoding))
    }

    fn publish<F>(&self, id: u32, bytes: usize, send: F) -> Result<u32>
    where
        F: FnOnce(&Sender) -> zenoh::Result<()> + Send + 'static,
    {
        self.shared.check_open()?;
        let (sender, priority, block) = match lock(&self.shared.entities).get(&id) {
            Some(Entity::Publisher { sender, priority, block }) => (sender.clone(), *priority, *block),
            _ => return Err(fail("unknown", format!("no publisher {id}"))),
        };
        if !block {
            send(&sender).map_err(|e| fail("put", e))?;
            return Ok(0);
        }
        let ticket = self.shared.tickets.next();
        let work = move || send(&sender).map_err(|e| reason("put", e));
        self.shared.lanes.submit(priority, bytes, ticket, Box::new(work))?;
        Ok(ticket)
    }
}
