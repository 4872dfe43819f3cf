//! Sends that may block (congestion control `block`, queries, replies) never run on the thread of
//! JavaScript. Each priority has one thread, started when first used: order is kept within a priority,
//! and a blocked large topic does not hold up a small one of another priority.

use crate::{event::Event, fail, lock, pump::Pump, queue::EntityQueue};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, SyncSender, TrySendError};
use std::sync::{Arc, Mutex};

/// Sends waiting per priority before further ones are refused.
const LANE_DEPTH: usize = 16_384;
/// Payload bytes waiting over all lanes before further sends are refused.
const LANES_BYTES_MAX: usize = 256 << 20;

type Work = Box<dyn FnOnce() -> Result<(), String> + Send>;

struct Job {
    work: Work,
    bytes: usize,
    /// 0: nobody waits for the outcome.
    ticket: u32,
}

pub struct Lanes {
    senders: Mutex<Option<[Option<SyncSender<Job>>; 8]>>,
    waiting_bytes: Arc<AtomicUsize>,
    pump: Arc<Pump>,
    done: Arc<EntityQueue>,
}

impl Lanes {
    pub fn new(pump: Arc<Pump>, done: Arc<EntityQueue>) -> Self {
        Self { senders: Mutex::new(Some(Default::default())), waiting_bytes: Arc::default(), pump, done }
    }

    pub fn submit(&self, priority: u8, bytes: usize, ticket: u32, work: Work) -> napi::Result<()> {
        if self.waiting_bytes.load(Ordering::Relaxed) + bytes > LANES_BYTES_MAX {
            return Err(fail("busy", "too many bytes are waiting to be sent"));
        }
        let mut senders = lock(&self.senders);
        let Some(lanes) = senders.as_mut() else { return Err(fail("closed", "the session is closed")) };
        let slot = &mut lanes[(priority & 7) as usize];
        if slot.is_none() {
            *slot = Some(self.start(priority)?);
        }
        let sender = slot.as_ref().expect("just filled");
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        sender.try_send(Job { work, bytes, ticket }).map_err(|error| {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => fail("busy", "too many sends are waiting"),
                TrySendError::Disconnected(_) => fail("closed", "the sending thread has ended"),
            }
        })
    }

    fn start(&self, priority: u8) -> napi::Result<SyncSender<Job>> {
        let (sender, receiver) = sync_channel::<Job>(LANE_DEPTH);
        let (pump, done, bytes) = (self.pump.clone(), self.done.clone(), self.waiting_bytes.clone());
        std::thread::Builder::new()
            .name(format!("zenoh-send-{priority}"))
            .spawn(move || {
                for job in receiver {
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job.work));
                    bytes.fetch_sub(job.bytes, Ordering::Relaxed);
                    let error = match outcome {
                        Ok(result) => result.err(),
                        Err(_) => Some("[internal] the send panicked".to_string()),
                    };
                    if job.ticket != 0 {
                        pump.push(&done, Event::SendDone { ticket: job.ticket, error });
                    }
                }
            })
            .map_err(|e| fail("internal", format!("cannot start a sending thread: {e}")))?;
        Ok(sender)
    }

    /// No further sends; the threads end after what they already have.
    pub fn close(&self) {
        lock(&self.senders).take();
    }
}
