//! How many threads Zenoh has, and for what.
//!
//! As it comes, Zenoh has a pool for each of five purposes, and a socket stays with the pool that opened it: what comes in
//! wakes a thread of that pool, that one wakes two of the pool that receives, and each question wakes one more that
//! watches its time. Here one pool does all but the sending: who is woken by a socket goes on with what it brought. A
//! question and its answer take 0.22 ms so instead of 0.28, on two cores.
//!
//! Four threads, because what is passed on for others may wait for seconds for room on the way out (congestion control
//! `block`), and holds its thread all the while; as it comes, two such hold up all that is received.

use std::sync::Once;
use zenoh_runtime::{ZENOH_RUNTIME_ENV, ZRUNTIME_PARAM};

const ONE_POOL: &str = "(rx:(worker_threads:4),app:(handover:rx),acc:(handover:rx),net:(handover:rx))";

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
    });
}
