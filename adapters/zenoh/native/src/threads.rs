//! How many threads Zenoh has, and for what.
//!
//! As it comes, Zenoh has a pool for each of five purposes, and a socket stays with the pool that opened it: what comes in
//! wakes a thread of that pool, that one wakes two of the pool that receives, and each question wakes one more that
//! watches its time. Here one pool does all but the sending: who is woken by a socket goes on with what it brought. A
//! question and its answer take 0.06 ms less so, on two cores (decision 20).
//!
//! Two things follow. What is passed on for others may wait for seconds for room on the way out (congestion control
//! `block`), and holds its thread all the while: there are eight, and not two. And the thread that waits may be the one
//! that listened to the sockets; until another one does, nobody hears that there is room again. So one is woken every
//! now and then while a thread is at work: it finds nothing to do and listens. Where all threads sleep, one of them
//! listens already: the last that went to sleep found the sockets free, or knew who has them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Once;
use std::time::Duration;
use zenoh_runtime::{ZRuntime, ZENOH_RUNTIME_ENV, ZRUNTIME_PARAM};

const ONE_POOL: &str = "(rx:(worker_threads:8),app:(handover:rx),acc:(handover:rx),net:(handover:rx))";
/// Longest that the sockets are left alone while a thread is free.
const LISTEN_EVERY: Duration = Duration::from_millis(20);
/// The same where every thread slept at each of the last looks: a look costs a little also where nothing happens.
const LISTEN_EVERY_AT_REST: Duration = Duration::from_millis(100);
const LOOKS_TO_REST: u32 = 50;

static IS_OURS: AtomicBool = AtomicBool::new(false);

/// To be called before there is a session. Where the environment has a word of its own for it, that counts.
pub fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if std::env::var_os(ZENOH_RUNTIME_ENV).is_some() {
            return;
        }
        // Zenoh takes it from nowhere else, and reads it once. Processes that are started later do not inherit it.
        std::env::set_var(ZENOH_RUNTIME_ENV, ONE_POOL);
        let _ = &*ZRUNTIME_PARAM;
        std::env::remove_var(ZENOH_RUNTIME_ENV);
        IS_OURS.store(true, Ordering::Release);
    });
}

/// With the first session: from then on somebody listens to the sockets. A pool that cannot be watched over is no reason
/// to have no session.
pub fn watch() {
    static ONCE: Once = Once::new();
    if !IS_OURS.load(Ordering::Acquire) {
        return;
    }
    ONCE.call_once(|| {
        let listen = || {
            let threads = ZRuntime::RX.metrics();
            // A thread counts when it goes to sleep and when it wakes: an odd number sleeps.
            let is_at_work =
                || (0..threads.num_workers()).any(|one| threads.worker_park_unpark_count(one) % 2 == 0);
            let mut rested = 0;
            loop {
                let is_at_rest = rested >= LOOKS_TO_REST;
                std::thread::sleep(if is_at_rest { LISTEN_EVERY_AT_REST } else { LISTEN_EVERY });
                if is_at_work() {
                    rested = 0;
                    drop(ZRuntime::RX.spawn(async {}));
                } else {
                    rested = (rested + 1).min(LOOKS_TO_REST);
                }
            }
        };
        let _ = std::thread::Builder::new().name("zenoh-listen".into()).spawn(listen);
    });
}
