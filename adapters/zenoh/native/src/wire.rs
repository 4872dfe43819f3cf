//! The byte layout of a batch: one buffer of records, plus a list of large payloads by reference.
//!
//! Creating a JavaScript object per message through the C interface costs more than moving the message.
//! So the addon writes records into one buffer and TypeScript reads it (`native-batch.ts` mirrors this).
//! All numbers are little endian; each record starts at a multiple of 8.
//!
//! ```text
//!  0  u8   kind: 1 sample, 2 query, 3 reply, 4 error reply, 5 get done, 6 send done
//!  1  u8   flags, see below
//!  2  u8   priority
//!  3  u8   0
//!  4  u32  entity the event belongs to
//!  8  u32  query id, lost replies or ticket, by kind
//! 12  u32  key length      (SAME: as in the record before)
//! 16  u32  encoding length (SAME: as in the record before)
//! 20  u32  parameters (or error text) length
//! 24  u32  attachment length
//! 28  u32  payload length, or its index in the list of large payloads
//! 32  u64  source timestamp, nanoseconds since epoch
//! 40  key, encoding, parameters, attachment, padding to 8, payload, padding to 8
//! ```

use crate::event::{Event, OpenQuery};
use std::borrow::Cow;
use zenoh::bytes::{Encoding, ZBytes};
use zenoh::sample::{Sample, SampleKind};

pub const WIRE_VERSION: u32 = 5;
const HEAD: usize = 40;
const SAME: u32 = u32::MAX;

const FLAG_EXTERNAL: u8 = 1;
const FLAG_ATTACHMENT: u8 = 2;
const FLAG_TIMESTAMP: u8 = 4;
const FLAG_DELETE: u8 = 8;
const FLAG_PAYLOAD: u8 = 16;
const FLAG_EXPRESS: u8 = 32;
const FLAG_FAILED: u8 = 64;

/// From this size on a contiguous payload is handed over by reference; below, copying is cheaper than
/// an external buffer, and a small payload would pin a whole receive buffer of 64 KiB.
const EXTERNAL_MIN: usize = 16 << 10;

#[derive(Default)]
pub struct Batch {
    pub slab: Vec<u8>,
    pub large: Vec<ZBytes>,
    /// Queries handed to JavaScript with this batch; the session keeps them until they are finished.
    pub queries: Vec<(u32, OpenQuery)>,
    /// Gets that ended with this batch; the session forgets them.
    pub ended: Vec<u32>,
    key: String,
    encoding: String,
}

#[derive(Default)]
struct Record<'a> {
    kind: u8,
    flags: u8,
    priority: u8,
    entity: u32,
    aux: u32,
    key: &'a str,
    encoding: Cow<'a, str>,
    params: &'a str,
    attachment: Option<&'a ZBytes>,
    payload: Option<&'a ZBytes>,
    timestamp: u64,
}

impl Batch {
    pub fn with_capacity(events: usize) -> Self {
        Self { slab: Vec::with_capacity(events * 128), ..Self::default() }
    }

    pub fn push(&mut self, entity: u32, event: Event) {
        match event {
            Event::Sample(sample) => self.write(from_sample(1, entity, &sample)),
            Event::Query { id, open } => {
                let query = &open.query;
                self.write(Record {
                    kind: 2,
                    entity,
                    aux: id,
                    key: query.key_expr().as_str(),
                    encoding: encoding_text(query.encoding()),
                    params: query.parameters().as_str(),
                    attachment: query.attachment(),
                    payload: query.payload(),
                    ..Record::default()
                });
                self.queries.push((id, open));
            }
            Event::Reply(reply) => match reply.result() {
                Ok(sample) => self.write(from_sample(3, entity, sample)),
                Err(error) => self.write(Record {
                    kind: 4,
                    entity,
                    encoding: encoding_text(Some(error.encoding())),
                    payload: Some(error.payload()),
                    ..Record::default()
                }),
            },
            Event::GetDone { lost } => {
                self.ended.push(entity);
                self.write(Record { kind: 5, entity, aux: lost, ..Record::default() });
            }
            Event::SendDone { ticket, error } => self.write(Record {
                kind: 6,
                flags: if error.is_some() { FLAG_FAILED } else { 0 },
                entity,
                aux: ticket,
                params: error.as_deref().unwrap_or(""),
                ..Record::default()
            }),
        }
    }

    fn write(&mut self, record: Record) {
        let at = self.slab.len();
        self.slab.resize(at + HEAD, 0);
        let mut flags = record.flags;

        let key_len = if at > 0 && record.key == self.key { SAME } else { self.text(record.key) };
        if key_len != SAME {
            self.key.clear();
            self.key.push_str(record.key);
        }
        let encoding_len = if at > 0 && record.encoding == self.encoding { SAME } else { self.text(&record.encoding) };
        if encoding_len != SAME {
            self.encoding.clear();
            self.encoding.push_str(&record.encoding);
        }
        let params_len = self.text(record.params);
        let mut attachment_len = 0;
        if let Some(attachment) = record.attachment {
            flags |= FLAG_ATTACHMENT;
            attachment_len = attachment.len() as u32;
            self.bytes(attachment);
        }
        self.pad();
        let mut payload_len = 0;
        if let Some(payload) = record.payload {
            flags |= FLAG_PAYLOAD;
            if payload.len() >= EXTERNAL_MIN {
                flags |= FLAG_EXTERNAL;
                payload_len = self.large.len() as u32;
                self.large.push(payload.clone());
            } else {
                payload_len = payload.len() as u32;
                self.bytes(payload);
                self.pad();
            }
        }

        let head = &mut self.slab[at..at + HEAD];
        head[0] = record.kind;
        head[1] = flags;
        head[2] = record.priority;
        let words = [record.entity, record.aux, key_len, encoding_len, params_len, attachment_len, payload_len];
        for (i, word) in words.iter().enumerate() {
            head[4 + i * 4..8 + i * 4].copy_from_slice(&word.to_le_bytes());
        }
        head[32..40].copy_from_slice(&record.timestamp.to_le_bytes());
    }

    fn text(&mut self, text: &str) -> u32 {
        self.slab.extend_from_slice(text.as_bytes());
        text.len() as u32
    }

    fn bytes(&mut self, bytes: &ZBytes) {
        for slice in bytes.slices() {
            self.slab.extend_from_slice(slice);
        }
    }

    fn pad(&mut self) {
        let padded = (self.slab.len() + 7) & !7;
        self.slab.resize(padded, 0);
    }
}

fn encoding_text(encoding: Option<&Encoding>) -> Cow<'_, str> {
    encoding.map_or(Cow::Borrowed(""), |e| Cow::<'static, str>::from(e))
}

fn from_sample(kind: u8, entity: u32, sample: &Sample) -> Record<'_> {
    let mut flags = 0;
    if sample.kind() == SampleKind::Delete {
        flags |= FLAG_DELETE;
    }
    if sample.express() {
        flags |= FLAG_EXPRESS;
    }
    let timestamp = sample.timestamp().map(|t| t.get_time().to_duration().as_nanos() as u64);
    if timestamp.is_some() {
        flags |= FLAG_TIMESTAMP;
    }
    Record {
        kind,
        flags,
        priority: sample.priority() as u8,
        entity,
        key: sample.key_expr().as_str(),
        encoding: encoding_text(Some(sample.encoding())),
        attachment: sample.attachment(),
        payload: Some(sample.payload()),
        timestamp: timestamp.unwrap_or(0),
        ..Record::default()
    }
}
