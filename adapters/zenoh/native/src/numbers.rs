//! Numbers by which JavaScript knows things.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts up and begins again after the last; never 0, which means "nobody" in tickets.
#[derive(Default)]
pub struct Numbers(AtomicU32);

impl Numbers {
    pub fn next(&self) -> u32 {
        loop {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if number != 0 {
                return number;
            }
        }
    }

    /// The next one that is not in use: a daemon that runs for months comes round.
    pub fn next_free(&self, in_use: impl Fn(u32) -> bool) -> u32 {
        loop {
            let number = self.next();
            if !in_use(number) {
                return number;
            }
        }
    }
}
