//! The single way into JavaScript: a list of queues that have something, and one wake-up for all.

use crate::{event::Event, lock, queue::EntityQueue};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{bindgen_prelude::Unknown, Status};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Not weak: an open session keeps the process alive, as a listening socket does, until it is closed.
pub type Wake = ThreadsafeFunction<(), Unknown<'static>, (), Status, false, false, 0>;

/// Events of one queue per turn, so that a busy topic cannot keep a quiet one waiting.
const QUANTUM: usize = 32;
/// Bytes of one queue per turn, for the same reason.
const QUANTUM_BYTES: usize = 1 << 20;
/// Bytes per batch: bounds how long one drain holds the event loop.
const BATCH_BYTES: usize = 8 << 20;

pub struct Pump {
    ready: Mutex<Ready>,
    wake: Mutex<Option<Arc<Wake>>>,
}

#[derive(Default)]
struct Ready {
    queues: VecDeque<Arc<EntityQueue>>,
    /// True from the wake-up until JavaScript has drained everything: it is woken once, not per event.
    armed: bool,
}

impl Pump {
    pub fn new(wake: Wake) -> Self {
        Self { ready: Mutex::new(Ready::default()), wake: Mutex::new(Some(Arc::new(wake))) }
    }

    pub fn push(&self, queue: &Arc<EntityQueue>, event: Event) {
        if !queue.push(event) {
            return;
        }
        let mut ready = lock(&self.ready);
        ready.queues.push_back(queue.clone());
        let must_wake = !ready.armed;
        ready.armed = true;
        drop(ready);
        if must_wake {
            let wake = lock(&self.wake).clone();
            if let Some(wake) = wake {
                wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }
    }

    /// Takes up to `max` events, round-robin over the queues. The second value is true while more is
    /// left: JavaScript then comes back by itself, after other work had its turn.
    pub fn drain(&self, max: usize) -> (Vec<(u32, Event)>, bool) {
        let mut out = Vec::with_capacity(max.min(256));
        let mut bytes = 0;
        loop {
            let Some(queue) = self.next() else { return (out, false) };
            let before = out.len();
            let more = queue.take(QUANTUM.min(max - before), QUANTUM_BYTES, &mut out);
            bytes += out[before..].iter().map(|(_, e)| e.weight()).sum::<usize>();
            if more {
                lock(&self.ready).queues.push_back(queue);
            }
            if out.len() >= max || bytes >= BATCH_BYTES {
                return (out, self.still_ready());
            }
        }
    }

    fn next(&self) -> Option<Arc<EntityQueue>> {
        let mut ready = lock(&self.ready);
        let queue = ready.queues.pop_front();
        ready.armed = queue.is_some();
        queue
    }

    fn still_ready(&self) -> bool {
        let mut ready = lock(&self.ready);
        ready.armed = !ready.queues.is_empty();
        ready.armed
    }

    /// Whether something is there to be drained, now or within `time`. Yields all the while: who has work goes first.
    pub fn look(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        loop {
            if !lock(&self.ready).queues.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            std::thread::yield_now();
        }
    }

    /// Lets the event loop end. No wake-up follows.
    pub fn release(&self) {
        lock(&self.wake).take();
    }
}
