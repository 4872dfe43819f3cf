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
//! now and then: it finds nothing to do and listens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Once;
use std::time::Duration;
use zenoh_runtime::{ZRuntime, ZENOH_RUNTIME_ENV, ZRUNTIME_PARAM};

const ONE_POOL: &str = "(rx:(worker_threads:8),app:(handover:rx),acc:(handover:rx),net:(handover:rx))";
/// Longest that the sockets are left alone while a thread is free.
const LISTEN_EVERY: Duration = Duration::from_millis(20);

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
        let listen = || loop {
            std::thread::sleep(LISTEN_EVERY);
            drop(ZRuntime::RX.spawn(async {}));
        };
        let _ = std::thread::Builder::new().name("zenoh-listen".into()).spawn(listen);
    });
}
