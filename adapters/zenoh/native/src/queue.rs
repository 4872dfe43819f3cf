//! One bounded queue per entity. When it is full the oldest sample is dropped and counted, so a slow
//! reader sees fresh data and never grows memory nor delays another reader.

use crate::{event::Event, lock};
use std::collections::VecDeque;
use std::sync::Mutex;

pub struct EntityQueue {
    pub id: u32,
    depth: usize,
    bytes_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    events: VecDeque<Event>,
    bytes: usize,
    /// True while the pump knows that this queue has something; kept here so that a push to a queue
    /// already listed costs one lock, not two.
    listed: bool,
    closed: bool,
    received: u64,
    dropped: u64,
    delivered: u64,
}

#[derive(Clone, Copy)]
pub struct Counters {
    pub received: u64,
    pub dropped: u64,
    pub delivered: u64,
    pub queued: u64,
}

impl EntityQueue {
    pub fn new(id: u32, depth: usize, bytes_max: usize) -> Self {
        Self { id, depth: depth.max(1), bytes_max, inner: Mutex::new(Inner::default()) }
    }

    /// Returns true when the caller must list this queue with the pump.
    pub fn push(&self, event: Event) -> bool {
        let weight = event.weight();
        // What falls out is destroyed after the lock is released: freeing shared memory takes time.
        let mut fallen: Vec<Event> = Vec::new();
        let mut inner = lock(&self.inner);
        if inner.closed {
            return false;
        }
        if event.droppable() {
            inner.received += 1;
            // A single message larger than the byte limit is still delivered: it replaces all others.
            while inner.events.len() >= self.depth || (inner.bytes + weight > self.bytes_max && !inner.events.is_empty()) {
                let Some(oldest) = inner.events.pop_front() else { break };
                inner.bytes -= oldest.weight();
                inner.dropped += 1;
                fallen.push(oldest);
            }
        }
        inner.bytes += weight;
        inner.events.push_back(event);
        let must_list = !inner.listed;
        inner.listed = true;
        drop(inner);
        must_list
    }

    /// Moves at most `count` events and about `bytes` bytes into `out`. Returns true while more is left;
    /// otherwise the queue counts as unlisted and the next push lists it again.
    pub fn take(&self, count: usize, bytes: usize, out: &mut Vec<(u32, Event)>) -> bool {
        let mut inner = lock(&self.inner);
        let mut taken_bytes = 0;
        for _ in 0..count {
            let Some(event) = inner.events.pop_front() else { break };
            let weight = event.weight();
            inner.bytes -= weight;
            taken_bytes += weight;
            if event.droppable() {
                inner.delivered += 1;
            }
            out.push((self.id, event));
            if taken_bytes >= bytes {
                break;
            }
        }
        inner.listed = !inner.events.is_empty();
        inner.listed
    }

    /// After undeclare: what JavaScript no longer asks for is released now and counted as dropped.
    pub fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let gone = std::mem::take(&mut inner.events);
        inner.dropped += gone.iter().filter(|e| e.droppable()).count() as u64;
        inner.bytes = 0;
        drop(inner);
    }

    pub fn counters(&self) -> Counters {
        let inner = lock(&self.inner);
        Counters {
            received: inner.received,
            dropped: inner.dropped,
            delivered: inner.delivered,
            queued: inner.events.len() as u64,
        }
    }
}
