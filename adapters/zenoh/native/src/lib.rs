//! Native Zenoh driver of Auraison Edge.
//!
//! One rule shapes everything here: **nothing calls into JavaScript per message**. Every event (sample,
//! query, reply, completion) goes into a bounded queue of the entity it belongs to; JavaScript is woken
//! once and takes whole batches out with [`session::NativeSession::drain`].
//!
//! | file        | what it holds                                                         |
//! |-------------|-----------------------------------------------------------------------|
//! | `config`    | open options to a Zenoh configuration                                 |
//! | `event`     | what can be queued                                                    |
//! | `queue`     | one bounded queue per entity, drop-oldest, counted                    |
//! | `pump`      | which queues have something, the single wake-up, round-robin draining |
//! | `wire`      | the byte layout of a batch                                            |
//! | `lanes`     | one thread per priority for sends that may block                      |
//! | `expectation` | whether such a send is about to come                                |
//! | `room`      | how many things of how many bytes may wait                            |
//! | `numbers`   | ids and tickets                                                       |
//! | `threads`   | the threads of Zenoh                                                  |
//! | `session`   | open, close, drain, counters                                          |
//! | `publishers`| publishers, plain and advanced, and sending                           |
//! | `loans`     | memory that JavaScript fills and that is sent without a copy          |
//! | `entities`  | subscribers, queryables, liveliness                                   |
//! | `queries`   | get and the answers to queries                                        |

mod config;
mod entities;
mod event;
mod expectation;
mod lanes;
mod loans;
mod numbers;
mod options;
mod publishers;
mod pump;
mod queries;
mod queue;
mod room;
mod session;
mod threads;
mod wire;

use napi_derive::napi;

/// When the addon is loaded, on the thread of JavaScript.
#[napi_derive::module_init]
fn loaded() {
    threads::settle();
}

/// What this addon is, for `auraison doctor`.
#[napi(object)]
pub struct Version {
    pub addon: String,
    pub zenoh: String,
    /// Version of the batch layout; the TypeScript side refuses another one.
    pub wire: u32,
}

#[napi]
pub fn version() -> Version {
    Version {
        addon: env!("CARGO_PKG_VERSION").to_string(),
        zenoh: zenoh::GIT_VERSION.trim_start_matches('v').split('-').next().unwrap_or("").to_string(),
        wire: wire::WIRE_VERSION,
    }
}

/// Locks even after a panic elsewhere: the data behind these locks is always left consistent, and a
/// poisoned lock must not turn one failure into the death of the session.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Errors carry their code in front, in brackets; TypeScript turns it into the typed error.
pub(crate) fn fail(code: &str, message: impl std::fmt::Display) -> napi::Error {
    napi::Error::from_reason(reason(code, message))
}

/// Zenoh ends its texts with the place in its own source; that says nothing to an operator and is cut off.
pub(crate) fn reason(code: &str, message: impl std::fmt::Display) -> String {
    let text = message.to_string();
    let end = text.rfind(" at ").filter(|at| text[*at..].contains(".rs:")).unwrap_or(text.len());
    format!("[{code}] {}", &text[..end])
}
