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
    /// Jobs that are waiting or running, per lane.
    waiting: Arc<[AtomicUsize; 8]>,
    direct: bool,
    pump: Arc<Pump>,
    done: Arc<EntityQueue>,
}

impl Lanes {
    pub fn new(pump: Arc<Pump>, done: Arc<EntityQueue>, direct: bool) -> Self {
        let (senders, waiting) = (Mutex::new(Some(Default::default())), Arc::default());
        Self { senders, waiting_bytes: Arc::default(), waiting, direct, pump, done }
    }

    /// Runs `work` here and now where that is wanted and its lane is idle, else on the lane.
    pub fn run(&self, priority: u8, bytes: usize, work: Work) -> napi::Result<()> {
        if self.direct && self.waiting[(priority & 7) as usize].load(Ordering::Acquire) == 0 {
            let _ = work();
            return Ok(());
        }
        self.submit(priority, bytes, 0, work)
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
        let waiting = &self.waiting[(priority & 7) as usize];
        waiting.fetch_add(1, Ordering::Release);
        sender.try_send(Job { work, bytes, ticket }).map_err(|error| {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            waiting.fetch_sub(1, Ordering::Release);
            match error {
                TrySendError::Full(_) => fail("busy", "too many sends are waiting"),
                TrySendError::Disconnected(_) => fail("closed", "the sending thread has ended"),
            }
        })
    }

    fn start(&self, priority: u8) -> napi::Result<SyncSender<Job>> {
        let (sender, receiver) = sync_channel::<Job>(LANE_DEPTH);
        let (pump, done, bytes) = (self.pump.clone(), self.done.clone(), self.waiting_bytes.clone());
        let waiting = self.waiting.clone();
        std::thread::Builder::new()
            .name(format!("zenoh-send-{priority}"))
            .spawn(move || {
                for job in receiver {
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job.work));
                    bytes.fetch_sub(job.bytes, Ordering::Relaxed);
                    waiting[(priority & 7) as usize].fetch_sub(1, Ordering::Release);
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
