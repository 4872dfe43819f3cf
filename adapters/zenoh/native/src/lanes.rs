//! Sends that may block (congestion control `block`, queries, replies) never run on the thread of
//! JavaScript. Each priority has one thread, started when first used: order is kept within a priority,
//! and a blocked large topic does not hold up a small one of another priority.

use crate::expectation::Expectation;
use crate::{event::Event, fail, lock, pump::Pump, queue::EntityQueue};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

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

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// The thread sleeps until it is notified.
    asleep: bool,
    /// It was woken for a job that is expected and not there yet.
    expected: bool,
    closed: bool,
}

#[derive(Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Jobs in `waiting`, to be looked at without its lock.
    count: AtomicUsize,
    expectation: Expectation,
}

enum Lanes8 {
    Open([Option<Arc<Lane>>; 8]),
    Closed,
}

pub struct Lanes {
    lanes: Mutex<Lanes8>,
    waiting_bytes: Arc<AtomicUsize>,
    pump: Arc<Pump>,
    done: Arc<EntityQueue>,
}

impl Lanes {
    pub fn new(pump: Arc<Pump>, done: Arc<EntityQueue>) -> Self {
        Self { lanes: Mutex::new(Lanes8::Open(Default::default())), waiting_bytes: Arc::default(), pump, done }
    }

    pub fn submit(&self, priority: u8, bytes: usize, ticket: u32, work: Work) -> napi::Result<()> {
        if self.waiting_bytes.load(Ordering::Relaxed) + bytes > LANES_BYTES_MAX {
            return Err(fail("busy", "too many bytes are waiting to be sent"));
        }
        let lane = self.lane(priority)?;
        lane.expectation.met();
        let mut waiting = lock(&lane.waiting);
        if waiting.closed {
            return Err(fail("closed", "the session is closed"));
        }
        if waiting.jobs.len() >= LANE_DEPTH {
            return Err(fail("busy", "too many sends are waiting"));
        }
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        waiting.jobs.push_back(Job { work, bytes, ticket });
        lane.count.store(waiting.jobs.len(), Ordering::Release);
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            lane.wake.notify_one();
        }
        Ok(())
    }

    /// JavaScript is told of something that it has lately answered with a send at once: while it is woken, the
    /// thread that will send for it is woken too, instead of after it. Never blocks; wrong guesses cost little.
    pub fn expect(&self, priority: u8) {
        let lane = match &*lock(&self.lanes) {
            Lanes8::Open(lanes) => lanes[(priority & 7) as usize].clone(),
            Lanes8::Closed => None,
        };
        let Some(lane) = lane else { return };
        if !lane.expectation.begin() {
            return;
        }
        let mut waiting = lock(&lane.waiting);
        waiting.expected = true;
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            lane.wake.notify_one();
        }
    }

    fn lane(&self, priority: u8) -> napi::Result<Arc<Lane>> {
        let mut lanes = lock(&self.lanes);
        let Lanes8::Open(lanes) = &mut *lanes else { return Err(fail("closed", "the session is closed")) };
        let slot = &mut lanes[(priority & 7) as usize];
        if let Some(lane) = slot {
            return Ok(lane.clone());
        }
        let lane = Arc::new(Lane::default());
        self.start(priority, lane.clone())?;
        *slot = Some(lane.clone());
        Ok(lane)
    }

    fn start(&self, priority: u8, lane: Arc<Lane>) -> napi::Result<()> {
        let (pump, done, bytes) = (self.pump.clone(), self.done.clone(), self.waiting_bytes.clone());
        let run = move || {
            while let Some(job) = lane.next() {
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
        };
        let thread = std::thread::Builder::new().name(format!("zenoh-send-{priority}"));
        thread.spawn(run).map(drop).map_err(|e| fail("internal", format!("cannot start a sending thread: {e}")))
    }

    /// No further sends; the threads end after what they already have.
    pub fn close(&self) {
        let before = std::mem::replace(&mut *lock(&self.lanes), Lanes8::Closed);
        let Lanes8::Open(lanes) = before else { return };
        for lane in lanes.into_iter().flatten() {
            lock(&lane.waiting).closed = true;
            lane.wake.notify_one();
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.close();
    }
}

impl Lane {
    /// The next job; none when the lane is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                self.count.store(waiting.jobs.len(), Ordering::Release);
                waiting.expected = false;
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            if std::mem::take(&mut waiting.expected) {
                drop(waiting);
                self.expectation.await_briefly(|| self.count.load(Ordering::Acquire) > 0);
                waiting = lock(&self.waiting);
                continue;
            }
            waiting.asleep = true;
            waiting = self.wake.wait(waiting).unwrap_or_else(|poisoned| poisoned.into_inner());
            waiting.asleep = false;
        }
    }
}
