/** Limits of the link to central and of the reference coordinator; part of LIMITS. */
export const LINK_LIMITS = {
  /** Events in one batch to central, and the bytes of it. */
  LINK_BATCH_EVENTS_MAX: 500,
  LINK_BATCH_BYTES_MAX: 4 * 1024 * 1024,
  /** One request to central, milliseconds. */
  LINK_REQUEST_MS: 10_000,
  /** How often the link looks at the logs without a notification that they grew, milliseconds. */
  LINK_POLL_MS: 1_000,
  /** After a push the next of a lane waits this long, milliseconds, unless it has so many events. */
  LINK_GATHER_MS: 1_000,
  LINK_GATHER_EVENTS: 64,
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
  /** Parts of an object: smallest, usual and largest size, bytes. A request carries one part at most. */
  LINK_PART_BYTES_MIN: 64 * 1024,
  LINK_PART_BYTES: 1024 * 1024,
  LINK_PART_BYTES_MAX: 4 * 1024 * 1024,
  /** Parts of one object, and how many there are before parts become larger: 4 GiB in parts of the usual size. */
  LINK_PARTS_MAX: 65_536,
  LINK_PARTS_USUAL: 4_096,
  /** Ranges of missing bytes in one answer. */
  LINK_MISSING_RANGES_MAX: 64,
  /** Plain bytes between two flushes of the compressor: what a cut costs of a compressed request. */
  LINK_FLUSH_BYTES: 4 * 1024,
  /** What one request of the bytes of a file is meant to take, milliseconds: its size follows the rate of the line. */
  LINK_PIECE_MS: 3_000,
  /** Smallest piece of a file in one request, bytes; the head of a request is some 500 bytes. */
  LINK_PIECE_BYTES_MIN: 16 * 1024,
  /** Files of which central asked for a range and that are on their way. */
  LINK_WANTED_MAX: 256,
  /** How long a version that a coordinator said is believed, milliseconds. */
  LINK_HELLO_MS: 600_000,
  /** How often the network to central is looked at, milliseconds. */
  LINK_NETWORK_MS: 10_000,
  /** How soon a coordinator that checks an object is asked again, milliseconds. */
  LINK_VERIFY_POLL_MS: 1_000,
  /** Starts of parts that the reference coordinator keeps in memory, bytes of all robots. */
  CENTRAL_FRAGMENT_BYTES_MAX: 256 * 1024 * 1024,
  /** The reference coordinator takes no files when its disk has less, bytes. */
  CENTRAL_FREE_BYTES_MIN: 256 * 1024 * 1024,
  /** How long an answer waits for the check of a whole object, milliseconds. */
  CENTRAL_VERIFY_WAIT_MS: 2_000,
  /** Certificates of the reference coordinator for robots and for itself, and for its authority, milliseconds. */
  CENTRAL_CERTIFICATE_MS: 90 * 86_400_000,
  CENTRAL_AUTHORITY_MS: 7_300 * 86_400_000,
  /** Certificates are valid from so long before they are issued: clocks differ, milliseconds. */
  CENTRAL_CLOCK_SLACK_MS: 86_400_000,
  /** How often the coordinator looks whether its own certificate is due, milliseconds. */
  CENTRAL_CERTIFICATE_LOOK_MS: 3_600_000,
  /** How long a one-time token for enrolment is valid where nothing is said, and at most, milliseconds. */
  CENTRAL_ENROL_MS: 86_400_000,
  CENTRAL_ENROL_MS_MAX: 30 * 86_400_000,
  /** Objects of one robot that were announced and are not held; above this the first of which nothing came is forgotten. */
  CENTRAL_OPEN_OBJECTS_MAX: 1_024,
  /** Starts of objects that no robot continued for so long make room for others, milliseconds. */
  CENTRAL_STALE_MS: 7 * 86_400_000,
  /** How often a robot asks whether central still has what it gave receipts for, milliseconds. */
  LINK_CUSTODY_MS: 600_000,
  /** How long the coordinator keeps a connection that is quiet: longer than a robot is between two requests, milliseconds. */
  CENTRAL_KEEP_ALIVE_MS: 60_000,
  /** Connections to the coordinator: a robot has up to three. */
  CENTRAL_CONNECTIONS_MAX: 2_048,
  /** Connections to the coordinator that have not shown valid credentials yet; above this the oldest are closed. */
  CENTRAL_UNKNOWN_CONNECTIONS_MAX: 64,
  /** How often a robot looks whether its certificate is due, milliseconds; it renews with a third of its time left. */
  LINK_RENEW_LOOK_MS: 600_000,
  /** On a removable disk: what is listed, of entries and of a whole manifest, bytes; entries of each kind. */
  LINK_DISK_LIST_BYTES_MAX: 8 * 1024 * 1024,
  LINK_DISK_MANIFEST_BYTES_MAX: 16 * 1024 * 1024,
  LINK_DISK_ITEMS_MAX: 65_536,
  /** One file with bytes on a removable disk: a push with one large event, or a part. */
  LINK_DISK_PIECE_BYTES_MAX: 8 * 1024 * 1024,
  /** Robots on one removable disk. */
  LINK_DISK_ROBOTS_MAX: 1_024,
  /** Receipts and refusals in one file on a removable disk, its bytes, and how many such files a robot reads. */
  LINK_DISK_RECEIPTS_MAX: 256,
  LINK_DISK_REFUSED_MAX: 64,
  LINK_DISK_RECEIPTS_BYTES_MAX: 768 * 1024,
  LINK_DISK_RECEIPT_FILES_MAX: 4_096,
  /** One message through a broker, bytes, and all messages that wait to be sent there. */
  LINK_MQTT_BYTES_MAX: 1024 * 1024,
  LINK_MQTT_QUEUE_BYTES_MAX: 4 * 1024 * 1024,
  /** An answer through a broker, and one step with the broker itself, milliseconds: the other way has time left after it. */
  LINK_MQTT_MS: 5_000,
  /** Questions of one robot, and of all robots, that the coordinator answers at a time; more are dropped. */
  CENTRAL_MQTT_ROBOT_ASKS_MAX: 8,
  CENTRAL_MQTT_ASKS_MAX: 512,
  /** An export that no client continues for so long is forgotten, milliseconds. */
  LINK_DISK_IDLE_MS: 600_000,
  /** Longest that the import at the coordinator waits for the check of one file, milliseconds. */
  LINK_DISK_VERIFY_MS: 1_800_000,
  /** One request to the reference coordinator: a full batch, one event above it, and the wrapping. */
  CENTRAL_BODY_BYTES_MAX: 8 * 1024 * 1024,
} as const;
