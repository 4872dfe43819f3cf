/** Every limit of the house in one place: a number, its unit in the name, and why it is what it is. */
export const LIMITS = {
  /** One sample. A 4K rgb8 image is 25 MB; above 64 MiB a message is a mistake or an attack. */
  SAMPLE_BYTES_MAX: 64 * 1024 * 1024,
  /** Samples waiting for one bus subscriber. 250 ms of a 1 kHz topic plus cameras; then drop oldest, counted. */
  BUS_QUEUE_SAMPLES_MAX: 1024,
  /** Bytes waiting for one bus subscriber; what a slow reader may cost in memory. */
  BUS_QUEUE_BYTES_MAX: 128 * 1024 * 1024,
  /** Bytes handed to the recorder thread and not yet written; then the sample is dropped and counted. */
  RECORDER_QUEUE_BYTES_MAX: 256 * 1024 * 1024,
  /** One API request body. Intents are small; a 100 MB body is refused before it is read. */
  API_BODY_BYTES_MAX: 1024 * 1024,
  /** Events waiting for one slow stream reader before it is told to reconnect from its cursor. */
  STREAM_QUEUE_EVENTS_MAX: 1024,
  /** Simultaneous event streams of one daemon. */
  STREAMS_MAX: 64,
  /** Runs waiting for a free slot of their application. */
  RUN_QUEUE_MAX: 256,
  /** Finished runs held in memory for listings; older ones are in the log and the lakehouse. */
  RUNS_REMEMBERED_MAX: 1_000,
  /** Attempts of a run that ended without any event of their own; then it is settled as `run.interrupted`. */
  RUN_IDLE_ATTEMPTS_MAX: 5,
  /** Attempts of a run altogether; a run that was cut this often is settled as `run.interrupted`. */
  RUN_ATTEMPTS_MAX: 1_000,
  /** From an abort to the harness letting go; a deaf harness is left behind after it, milliseconds. */
  RUN_SETTLE_MS: 2_000,
  /** One order to stop the robot; after it the caller is answered and told that nothing confirmed it, milliseconds. */
  ROBOT_STOP_MS: 1_000,
  /** What a flow knows, serialized: it travels in each `run.phase`. */
  FLOW_FACTS_BYTES_MAX: 16 * 1024,
  /** Params of an intent, serialized. */
  INTENT_PARAMS_BYTES_MAX: 64 * 1024,
  /** Payload of one event, serialized. Larger things are files that an event names by hash. */
  EVENT_PAYLOAD_BYTES_MAX: 256 * 1024,
  /** Events in one group commit. */
  LOG_BATCH_EVENTS_MAX: 512,
  /** Events waiting to be committed; append then refuses with `cell.overloaded`. */
  LOG_QUEUE_EVENTS_MAX: 65_536,
  /** Serialized payloads of those events; what a stalled disk may cost in memory. Refused the same way. */
  LOG_QUEUE_BYTES_MAX: 64 * 1024 * 1024,
  /** Default time a message between cells may take before its asker gives up, milliseconds. */
  CELL_REQUEST_MS: 5_000,
  /** Requests one cell may have open at another. */
  CELL_REQUESTS_OPEN_MAX: 1024,
  /** How often a cell reports its work, milliseconds. */
  HEARTBEAT_MS: 250,
  /** A cell silent for this long is killed and restarted, milliseconds. */
  HEARTBEAT_SILENT_MS: 2_000,
  /** A cell whose work stands still although work waits is restarted after this, milliseconds. */
  WORK_STALLED_MS: 10_000,
  /** SIGTERM to exit of everything, milliseconds; systemd waits longer than this. */
  SHUTDOWN_MS: 5_000,
  /** First restart delay of a dead cell, milliseconds; doubles up to the next. */
  RESTART_FIRST_MS: 200,
  RESTART_MAX_MS: 30_000,
  /** A cell that stayed up this long starts its back-off anew, milliseconds. */
  RESTART_FORGET_MS: 60_000,
  /** A velocity command older than this is not obeyed and the base stops, milliseconds. */
  COMMAND_EXPIRY_MS: 300,
  /** One policy inference payload over a queryable. */
  POLICY_PAYLOAD_BYTES_MAX: 32 * 1024 * 1024,
  /** One policy hook. A hook that is later than this denies, milliseconds. */
  POLICY_HOOK_MS: 1_000,
  /** One query of the lakehouse, milliseconds, and the rows it may return. */
  LAKE_QUERY_MS: 30_000,
  LAKE_ROWS_MAX: 100_000,
  /** Events in one batch to central, and the bytes of it. */
  LINK_BATCH_EVENTS_MAX: 500,
  LINK_BATCH_BYTES_MAX: 4 * 1024 * 1024,
  /** One request to central, milliseconds. */
  LINK_REQUEST_MS: 10_000,
} as const;
