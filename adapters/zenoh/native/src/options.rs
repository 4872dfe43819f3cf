//! Objects that JavaScript passes in, and their translation to Zenoh's types.

use crate::fail;
use napi_derive::napi;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::QueryTarget;

/// A `key: value` pair of Zenoh's JSON5 configuration, e.g. `transport/link/tls/enable_mtls: true`.
#[napi(object)]
pub struct ConfigEntry {
    pub key: String,
    pub value: String,
}

#[napi(object)]
pub struct OpenOptions {
    /// `peer`, `client` or `router`.
    pub mode: String,
    pub listen: Vec<String>,
    pub connect: Vec<String>,
    /// Applied last, in order: they override everything this addon sets itself.
    pub overrides: Vec<ConfigEntry>,
    /// Largest number of bytes of shared memory that JavaScript may hold before further payloads are copied.
    pub pinned_shm_bytes_max: f64,
    /// Shared memory for `allocate`; 0: none.
    pub shared_memory_bytes: f64,
}

/// Delivery of a put or delete. Everything is optional and has Zenoh's defaults.
#[napi(object)]
#[derive(Default, Clone)]
pub struct Delivery {
    /// 1 (real time) to 7 (background), default 5.
    pub priority: Option<u8>,
    pub express: Option<bool>,
    pub best_effort: Option<bool>,
}

impl Delivery {
    pub fn priority(&self) -> napi::Result<Priority> {
        match self.priority {
            None => Ok(Priority::DEFAULT),
            Some(value) => Priority::try_from(value).map_err(|e| fail("invalid", e)),
        }
    }
}

#[napi(object)]
pub struct QueueLimits {
    /// Samples held for JavaScript before the oldest is dropped; queries open before further ones are refused.
    pub depth: u32,
    /// The same limit in bytes: payloads, attachments, keys, parameters.
    pub bytes: f64,
}

pub fn query_target(name: &str) -> napi::Result<QueryTarget> {
    match name {
        "best" => Ok(QueryTarget::BestMatching),
        "all" => Ok(QueryTarget::All),
        "all-complete" => Ok(QueryTarget::AllComplete),
        other => Err(fail("invalid", format!("unknown query target '{other}'"))),
    }
}

pub fn congestion(block: bool) -> CongestionControl {
    if block { CongestionControl::Block } else { CongestionControl::Drop }
}
