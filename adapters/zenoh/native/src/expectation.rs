//! Whether JavaScript is about to send: learned from how soon it did the last times.
//!
//! A thread that sleeps takes 50 us and more to wake. A reply would pay that twice, one after the other: until
//! JavaScript runs, and until the thread that sends for it runs. Where JavaScript has lately sent within `WINDOW`
//! of what it was told, the sending thread is woken at the same time and looks for its job, giving way to others.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a woken thread looks for its job, and how soon a send has to follow to count as expected.
const WINDOW: Duration = Duration::from_micros(300);
/// Sends that followed in time, in a row, before threads are woken for what has not come yet.
const SURE: u32 = 3;
const SCORE_MAX: u32 = 6;

#[derive(Default)]
pub struct Expectation {
    /// Nanoseconds at which JavaScript was last told of something; 0: a send has followed.
    told: AtomicU64,
    score: AtomicU32,
}

impl Expectation {
    /// JavaScript is told of something now. True when a send is to be expected at once.
    pub fn begin(&self) -> bool {
        self.told.store(now(), Ordering::Relaxed);
        self.score.load(Ordering::Relaxed) >= SURE
    }

    /// A send came.
    pub fn met(&self) {
        let told = self.told.swap(0, Ordering::Relaxed);
        if told == 0 {
            return;
        }
        let soon = now().saturating_sub(told) <= WINDOW.as_nanos() as u64;
        self.learn(soon);
    }

    /// Looks for what is expected. Yields all the time: whoever has work goes first.
    pub fn await_briefly(&self, here: impl Fn() -> bool) {
        let until = Instant::now() + WINDOW;
        while !here() {
            if Instant::now() >= until {
                self.learn(false);
                return;
            }
            std::thread::yield_now();
        }
    }

    fn learn(&self, soon: bool) {
        let score = self.score.load(Ordering::Relaxed);
        self.score.store(if soon { (score + 1).min(SCORE_MAX) } else { score / 2 }, Ordering::Relaxed);
    }
}

fn now() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    // Never 0, which means "nothing".
    BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expects_after_sends_in_time_and_no_more_after_late_ones() {
        let it = Expectation::default();
        for _ in 0..SURE {
            assert!(!it.begin());
            it.met();
        }
        assert!(it.begin());
        // Nothing comes: doubts grow, until it expects nothing any more.
        it.await_briefly(|| false);
        assert!(!it.begin());
        std::thread::sleep(WINDOW * 2);
        it.met();
        assert!(!it.begin());
    }

    #[test]
    fn a_send_that_nothing_preceded_teaches_nothing() {
        let it = Expectation::default();
        for _ in 0..10 {
            it.met();
        }
        assert!(!it.begin());
    }
}
