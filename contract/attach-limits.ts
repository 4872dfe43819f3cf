/** Limits of programs that attach over WebSocket (Foxglove, rosbridge); part of LIMITS. */
export const ATTACH_LIMITS = {
  /** One frame from such a client. Larger ones close its connection (1009). */
  ATTACH_FRAME_BYTES_MAX: 4 * 1024 * 1024,
  /** Bytes handed to the socket of a client at a time. The rest waits where it can still be dropped. */
  ATTACH_SOCKET_BYTES: 256 * 1024,
  /** Samples on the way from the cell to the thread of the servers; further ones are dropped and counted. */
  ATTACH_IN_FLIGHT_BYTES_MAX: 32 * 1024 * 1024,
  /** Topics that are offered; further ones are left out. */
  ATTACH_TOPICS_MAX: 2_048,
  /** Messages of one latched topic that are kept for late subscribers. Several nodes publish `/tf_static`. */
  ATTACH_LATCHED_MAX: 64,
  ATTACH_LATCHED_BYTES_MAX: 8 * 1024 * 1024,
  /** Subscriptions of one client, and topics or services that it offers. */
  ATTACH_SUBSCRIPTIONS_MAX: 1_024,
  ATTACH_CHANNELS_MAX: 256,
  /** Orders of one client that wait for an answer. Further ones are refused. */
  ATTACH_CALLS_MAX: 16,
  /** One order, milliseconds. */
  ATTACH_CALL_MS: 10_000,
  /** Messages of one client in a second; what is more waits in its socket. */
  ATTACH_MESSAGES_PER_S: 2_000,
  /** Frames of one client that were refused; then its connection is closed (1008). */
  ATTACH_FAULTS_MAX: 100,
  /** A client that takes nothing of what waits for it for this long is disconnected, milliseconds. */
  ATTACH_STALLED_MS: 90_000,
  /** Least time between two reports of the same loss or refusal to one client, milliseconds. */
  ATTACH_REPORT_MS: 1_000,
  /** How often parameters that clients follow are read, milliseconds; how many of one client; nodes that are listed. */
  ATTACH_PARAMETERS_MS: 2_000,
  ATTACH_PARAMETERS_MAX: 512,
  /** How long a request of the API may wait for the next message of a topic, milliseconds. */
  TOPIC_WAIT_MS_MAX: 30_000,
  /** Requests that wait for a message at a time. */
  TOPIC_WAITS_MAX: 64,
  /** Messages above this are neither shown as JSON, which makes them many times larger, nor made of it. */
  TOPIC_JSON_BYTES_MAX: 256 * 1024,
  /** A definition that comes with a message, characters. */
  TOPIC_DEFINITION_MAX: 64 * 1024,
  ATTACH_NODES_MAX: 64,
  /** The servers end when no port is configured and no client of the API was there for this long, milliseconds. */
  ATTACH_UNUSED_MS: 300_000,
  /** How long they may take to start, milliseconds. */
  ATTACH_OPEN_MS: 15_000,
  /** One asset, such as a mesh. */
  ATTACH_ASSET_BYTES_MAX: 16 * 1024 * 1024,
} as const;
