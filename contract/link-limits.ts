/** Limits of the link to central and of the reference coordinator; part of LIMITS. */
export const LINK_LIMITS = {
  /** Events in one batch to central, and the bytes of it. */
  LINK_BATCH_EVENTS_MAX: 500,
  LINK_BATCH_BYTES_MAX: 4 * 1024 * 1024,
  /** One request to central, milliseconds. */
  LINK_REQUEST_MS: 10_000,
  /** How often the link looks at the logs without a notification that they grew, milliseconds. */
  LINK_POLL_MS: 1_000,
  /** First and longest wait after central failed, milliseconds; doubles; half of it is random. */
  LINK_RETRY_FIRST_MS: 500,
  LINK_RETRY_MAX_MS: 30_000,
  /**
   * Receipts are written to the link's log at most this often per lane, milliseconds; a later one covers the earlier.
   */
  LINK_RECEIPT_EVERY_MS: 10_000,
  /**
   * An outage of central shorter than this is no event: a flapping network would fill the log with itself,
   * milliseconds.
   */
  LINK_OUTAGE_MS: 5_000,
  /** An idle link asks central this often whether it still holds what it acknowledged, milliseconds. */
  LINK_PROBE_MS: 30_000,
  /** Longest wait of a caller for a sync with central, milliseconds. */
  LINK_SYNC_MS_MAX: 300_000,
  /** Longest that central keeps a robot waiting that asks for orders, milliseconds; shorter than a request. */
  LINK_ORDERS_WAIT_MS: 8_000,
  /** Orders that wait for one robot; more are refused. */
  LINK_ORDERS_QUEUED_MAX: 1_000,
  /** One answer with orders: an intent has up to 64 KiB of params. */
  LINK_ORDERS_BYTES_MAX: 512 * 1024,
  /** One answer of central. */
  LINK_ANSWER_BYTES_MAX: 64 * 1024,
  /** One request to the reference coordinator: a full batch, one event above it, and the wrapping. */
  CENTRAL_BODY_BYTES_MAX: 8 * 1024 * 1024,
} as const;
