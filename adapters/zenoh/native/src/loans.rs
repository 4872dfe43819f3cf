//! Memory that JavaScript fills and `put_allocated` sends without a copy: shared memory where its pool has
//! room, else the heap. A loan ends by being sent, or by the collection of its buffer in JavaScript.

use crate::numbers::Numbers;
use crate::session::NativeSession;
use crate::{fail, lock};
use bytes::Bytes;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use zenoh::bytes::ZBytes;
use zenoh::shm::{Defragment, GarbageCollect, PosixShmProviderBackend, ShmProvider, ShmProviderBuilder, ZShmMut};
use zenoh::Wait;

/// Heap memory that is filled or waits for the garbage collector; beyond it `allocate` refuses.
const HEAP_BYTES_MAX: usize = 256 << 20;

/// Heap memory that was sent and waits to be lent again: fresh pages cost more than what is written to them.
const SPARE_BYTES_MAX: usize = 32 << 20;

enum Memory {
    Shared(ZShmMut),
    Heap(HeapMemory),
}

/// Goes back to the spare memory when Zenoh has sent it.
struct HeapMemory {
    bytes: Vec<u8>,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for HeapMemory {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeapMemory {
    fn drop(&mut self) {
        self.spare.keep(std::mem::take(&mut self.bytes));
    }
}

#[derive(Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Exactly as long as asked for: topics keep the size of their messages, or else nothing is won.
    fn take(&self, len: usize) -> Vec<u8> {
        let mut spare = lock(&self.0);
        let found = spare.iter().rposition(|bytes| bytes.len() == len);
        match found {
            Some(at) => spare.swap_remove(at),
            None => {
                drop(spare);
                vec![0; len]
            }
        }
    }

    fn keep(&self, bytes: Vec<u8>) {
        let mut spare = lock(&self.0);
        let mut total: usize = spare.iter().map(Vec::len).sum();
        // Sizes that nobody asks for any more make room.
        while total + bytes.len() > SPARE_BYTES_MAX && !spare.is_empty() {
            total -= spare.remove(0).len();
        }
        if bytes.len() <= SPARE_BYTES_MAX {
            spare.push(bytes);
        }
    }
}

enum Pool {
    /// Made when first asked for: a daemon that sends no frames takes no shared memory.
    Unmade,
    Ready(ShmProvider<PosixShmProviderBackend>),
    /// Why there is none; the heap serves.
    Refused,
}

pub struct Loans {
    pool: Mutex<Pool>,
    pool_bytes: usize,
    lent: Arc<Lent>,
    spare: Arc<Spare>,
}

#[derive(Default)]
struct Lent {
    numbers: Numbers,
    memory: Mutex<HashMap<u32, Memory>>,
    heap_bytes: AtomicUsize,
}

impl Lent {
    /// Under a number that no other loan has: JavaScript writes into what it names.
    fn begin(&self, memory: Memory) -> u32 {
        let mut lent = lock(&self.memory);
        let id = self.numbers.next_free(|id| lent.contains_key(&id));
        lent.insert(id, memory);
        id
    }

    fn end(&self, id: u32) -> Option<Memory> {
        let memory = lock(&self.memory).remove(&id)?;
        if let Memory::Heap(heap) = &memory {
            self.heap_bytes.fetch_sub(heap.bytes.len(), Ordering::Relaxed);
        }
        Some(memory)
    }
}

impl Loans {
    pub fn new(pool_bytes: usize) -> Self {
        Self { pool: Mutex::new(Pool::Unmade), pool_bytes, lent: Arc::default(), spare: Arc::default() }
    }

    pub fn take(&self, id: u32) -> Option<ZBytes> {
        Some(match self.lent.end(id)? {
            Memory::Shared(memory) => ZBytes::from(memory),
            Memory::Heap(memory) => ZBytes::from(Bytes::from_owner(memory)),
        })
    }

    fn shared(&self, len: usize) -> Option<ZShmMut> {
        if self.pool_bytes == 0 || len == 0 {
            return None;
        }
        let mut pool = lock(&self.pool);
        if let Pool::Unmade = *pool {
            *pool = match ShmProviderBuilder::default_backend(self.pool_bytes).wait() {
                Ok(provider) => Pool::Ready(provider),
                Err(_) => Pool::Refused,
            };
        }
        let Pool::Ready(provider) = &*pool else { return None };
        // First what readers gave back: memory that was used a moment ago is still in the processor's caches,
        // and filling it is several times as fast as going through the whole pool.
        provider.garbage_collect();
        provider.alloc(len).with_policy::<Defragment<GarbageCollect>>().wait().ok()
    }
}

#[napi(object)]
pub struct Allocation<'env> {
    pub id: u32,
    /// False: the pool was full or there is none, this is heap memory.
    pub shared: bool,
    pub bytes: BufferSlice<'env>,
}

#[napi]
impl NativeSession {
    /// Memory for `put_allocated`. With `shared_only`: null when the pool has no room now.
    #[napi]
    pub fn allocate<'env>(&self, env: &'env Env, len: u32, shared_only: bool) -> Result<Option<Allocation<'env>>> {
        self.shared.check_open()?;
        let (len, loans) = (len as usize, &self.shared.loans);
        let mut memory = match loans.shared(len) {
            Some(memory) => Memory::Shared(memory),
            None if shared_only => return Ok(None),
            None => {
                let before = loans.lent.heap_bytes.fetch_add(len, Ordering::Relaxed);
                if before + len > HEAP_BYTES_MAX {
                    loans.lent.heap_bytes.fetch_sub(len, Ordering::Relaxed);
                    return Err(fail("busy", "too much allocated memory was neither sent nor collected"));
                }
                Memory::Heap(HeapMemory { bytes: loans.spare.take(len), spare: loans.spare.clone() })
            }
        };
        let (shared, data) = match &mut memory {
            Memory::Shared(memory) => (true, memory.as_mut().as_mut_ptr()),
            Memory::Heap(memory) => (false, memory.bytes.as_mut_ptr()),
        };
        let lent = loans.lent.clone();
        let id = lent.begin(memory);
        // SAFETY: the memory stays where it is while its owner moves. It lives until the loan ends: by the
        // finalizer, when no view is left, or by `put_allocated`, before which the view is detached.
        let bytes = unsafe { BufferSlice::from_external(env, data, len, lent, move |_, lent| drop(lent.end(id)))? };
        Ok(Some(Allocation { id, shared, bytes }))
    }
}
