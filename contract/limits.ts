import { ATTACH_LIMITS } from './attach-limits.ts';
import { LINK_LIMITS } from './link-limits.ts';
import { MCP_LIMITS } from './mcp-limits.ts';

/** Every limit of the house in one place: a number, its unit in the name, and why it is what it is. */
export const LIMITS = {
  ...ATTACH_LIMITS,
  ...LINK_LIMITS,
  ...MCP_LIMITS,
  /** One sample. A 4K rgb8 image is 25 MB; above 64 MiB a message is a mistake or an attack. */
  SAMPLE_BYTES_MAX: 64 * 1024 * 1024,
  /** Cells of a map that crosses to another cell, one byte each: 4,096 to a side are 204 m at 5 cm. */
  MAP_CELLS_MAX: 4_096 * 4_096,
  /** Samples waiting for one bus subscriber. 250 ms of a 1 kHz topic plus cameras; then drop oldest, counted. */
  BUS_QUEUE_SAMPLES_MAX: 1024,
  /** Bytes waiting for one bus subscriber; the memory that a slow reader may use. */
  BUS_QUEUE_BYTES_MAX: 128 * 1024 * 1024,
  /** Samples of one topic that wait for the transport of a route, by default; then drop oldest. 250 ms of 1 kHz. */
  ROUTE_QUEUE_SAMPLES: 256,
  /** Bytes of one topic that wait for it: six clouds of 5 MB. */
  ROUTE_QUEUE_BYTES_MAX: 32 * 1024 * 1024,
  /** Bytes of all topics of all routes that wait; beyond it the topic that holds most drops its oldest. */
  ROUTES_QUEUE_BYTES_MAX: 128 * 1024 * 1024,
  /** Samples and bytes of one topic that the transport holds at a time: the cost of a reader that has stopped. */
  ROUTE_IN_FLIGHT_SAMPLES_MAX: 64,
  ROUTE_IN_FLIGHT_BYTES_MAX: 16 * 1024 * 1024,
  /** The same of all topics together. */
  ROUTES_IN_FLIGHT_BYTES_MAX: 64 * 1024 * 1024,
  /** Topics of one route; further ones are denied and counted. A wildcard must not cost without bound. */
  ROUTE_TOPICS_MAX: 512,
  /**
   * Names that one route into ROS accepts in its life, since each may leave a publisher. For other routes: names
   * remembered.
   */
  ROUTE_NAMES_EVER_MAX: 4_096,
  /** Routes of one daemon. */
  ROUTES_MAX: 128,
  /** How often a sending route publishes its counts, milliseconds. */
  ROUTE_BEACON_MS: 1_000,
  /** A gap to the count of the other side that is younger than this is still in transit, milliseconds. */
  ROUTE_BEHIND_MS: 2_000,
  /** Samples that have not come this long after a rebuild count as lost, milliseconds; a slow link may need so long. */
  ROUTE_LOST_MS: 30_000,
  /** A topic that came steadily and stands still this long is silent, milliseconds; so is a beacon. */
  ROUTE_SILENT_MS: 3_000,
  /** Pause between two rebuilds of a route, milliseconds; doubles from the first value up to the second. */
  ROUTE_REBUILD_FIRST_MS: 5_000,
  ROUTE_REBUILD_MAX_MS: 60_000,
  /** A message that came from the key space this long ago or less is not sent back to it, milliseconds. */
  ROUTE_ECHO_MS: 2_000,
  /** How often the ledger of the routes is written into the log, milliseconds. */
  ROUTE_LEDGER_MS: 10_000,
  /** The note beside a sample in the key space; a longer one is not read. */
  ROUTE_ATTACHMENT_BYTES_MAX: 1_024,
  /** Bytes handed to the recorder thread and not yet written; then the sample is dropped and counted. */
  RECORDER_QUEUE_BYTES_MAX: 256 * 1024 * 1024,
  /** Chunks being compressed at once. Beyond it chunks are written uncompressed, so that no sample is lost. */
  RECORDER_CHUNKS_PACKED_MAX: 4,
  /** A seal that makes no progress for this long has failed, milliseconds. A long one keeps reporting progress. */
  RECORDER_STALLED_MS: 30_000,
  /** Asking for a seal, a clip or the end of an episode: hashing may take its time on a slow disk, milliseconds. */
  RECORDER_REQUEST_MS: 300_000,
  /** Longest time before or after the trigger that a clip may ask for, milliseconds. */
  CLIP_SPAN_MS_MAX: 3_600_000,
  /** Clips that are requested and not complete yet; more are refused with `cell.overloaded`. */
  CLIPS_PENDING_MAX: 16,
  /** Milliseconds beyond its end that a run waits for a clip; the clip comes, if later. */
  CLIP_TOOL_MS: 20_000,
  /** One chunk or other record of an MCAP file, decompressed; above it the file is refused. */
  MCAP_CHUNK_BYTES_MAX: 256 * 1024 * 1024,
  /** Chunks of one MCAP file held at a time because they overlap in time, decompressed. */
  MCAP_READ_BYTES_MAX: 1024 * 1024 * 1024,
  /** Segments of recordings that are read over the API at a time, and those of one caller; more are asked to come again. */
  BAG_READS_MAX: 12,
  BAG_READS_EACH_MAX: 4,
  /** A part of a recording that is cut out over the API: its bytes, and how long that may take, milliseconds. */
  BAG_CUT_BYTES_MAX: 1024 * 1024 * 1024,
  BAG_CUT_MS: 240_000,
  /** One API request body. Intents are small; a 100 MB body is refused before it is read. */
  API_BODY_BYTES_MAX: 1024 * 1024,
  /** Events waiting for one slow stream reader before it has to reconnect from its cursor. */
  STREAM_QUEUE_EVENTS_MAX: 1024,
  /** Simultaneous event streams of one daemon. */
  STREAMS_MAX: 64,
  /** Events of each cell that `since=recent` starts with. */
  STREAM_RECENT: 200,
  /** The same where only some kinds are asked for: among so many events. */
  STREAM_RECENT_OF_KIND: 2_000,
  /** Connections of clients with a token, streams included. Beyond it an idle one is closed, or the request refused. */
  API_CONNECTIONS_MAX: 256,
  /** Of these only operators get the last ones. */
  API_OPERATORS_KEPT: 32,
  /** Connections without a token; beyond it the oldest are closed. A browser opens six. */
  API_STRANGERS_MAX: 128,
  /** Connections that come at the same time have this long to show their token; then the oldest close, milliseconds. */
  API_SHED_MS: 50,
  /**
   * Sockets of the API in total: the two limits above, and those that come within that time. Then the kernel refuses.
   */
  API_SOCKETS_MAX: 1_024,
  /** Requests of one connection that are not answered yet; the next closes it. */
  API_PIPELINED_MAX: 8,
  /** A client whose body was refused may keep sending for this long before its connection is closed, milliseconds. */
  API_LINGER_MS: 2_000,
  /** Body of a stop: bytes, milliseconds until it must be there, and characters of its reason. */
  STOP_BODY_BYTES_MAX: 16 * 1024,
  STOP_BODY_MS: 100,
  STOP_REASON_CHARS_MAX: 512,
  /** So much is read of the head of an emergency stop that the HTTP parser refused: bytes. */
  STOP_HEAD_BYTES_MAX: 128 * 1024,
  /** A client that takes nothing of an answer for this long is cut; longer than a stream waits, milliseconds. */
  API_STALLED_MS: 33_000,
  /** A client that has not sent its headers by then is cut, milliseconds. */
  API_HEADERS_MS: 10_000,
  /** A client that has not sent its whole request by then is cut, milliseconds. */
  API_REQUEST_MS: 30_000,
  /** One part of the status page; a cell that is later is shown as unavailable, milliseconds. */
  STATUS_PART_MS: 1_000,
  /** Interval of keep-alive messages on a silent stream, milliseconds. */
  STREAM_HEARTBEAT_MS: 15_000,
  /** How often a stream looks at the logs without a notification that they grew, milliseconds. */
  STREAM_POLL_MS: 500,
  /** A stream reader that takes nothing for this long is closed and has to reconnect from its cursor, milliseconds. */
  STREAM_STALLED_MS: 30_000,
  /** A stalled reader has this long to read the last message before its socket is closed, milliseconds. */
  STREAM_FAREWELL_MS: 2_000,
  /** Events a stream reads from one log at a time: all the memory that a reader may use. */
  STREAM_PAGE_EVENTS: 32,
  /** Runs of one application that wait to start. */
  RUN_QUEUE_MAX: 256,
  /** Messages to webhooks: bytes of the body, milliseconds between their time and now, ids that are remembered. */
  WEBHOOK_BODY_BYTES_MAX: 64 * 1024,
  WEBHOOK_WINDOW_MS: 300_000,
  WEBHOOK_IDS_MAX: 1_024,
  /** Depth of runs that open runs: child, grandchild, and one more. */
  RUN_DEPTH_MAX: 3,
  /** Unfinished runs that one run has opened. */
  RUN_CHILDREN_MAX: 8,
  /** Runs that one run may open in its life. */
  RUN_CHILDREN_EVER_MAX: 64,
  /** Branches that the parallel steps of one flow may open in its life. */
  RUN_BRANCHES_EVER_MAX: 512,
  /** From the end of a run to the ends of the runs it opened; those that do not answer are settled then, milliseconds. */
  RUN_CHILDREN_SETTLE_MS: 6_000,
  /** Messages of people to a run: characters of one message, and messages that its harness has not taken yet. */
  RUN_MESSAGE_CHARS_MAX: 32_768,
  RUN_MESSAGES_WAITING_MAX: 64,
  /** A harness that has not taken a message by then takes it later: it is in the log, milliseconds. */
  RUN_MESSAGE_MS: 3_000,
  /** Finished runs held in memory for listings; older ones are in the log and the lakehouse. */
  RUNS_REMEMBERED_MAX: 1_000,
  /** Idempotency keys held in memory; beyond it the oldest may open a second run. */
  IDEMPOTENCY_KEYS_MAX: 50_000,
  /** Attempts of a run that ended without any event of their own; then it is settled as `run.interrupted`. */
  RUN_IDLE_ATTEMPTS_MAX: 5,
  /** Attempts of a run in total; a run that was cut this often is settled as `run.interrupted`. */
  RUN_ATTEMPTS_MAX: 1_000,
  /** A tool call has this long to end after an abort; then it is abandoned and its robot stopped, milliseconds. */
  RUN_SETTLE_MS: 1_500,
  /** A stop is answered by then: measured to stand, or "not confirmed", milliseconds. */
  STILL_WAIT_MS: 3_000,
  /**
   * One order to stop the robot, milliseconds: longer than `STILL_WAIT_MS` and than the stop itself may take, so that
   * the answer of the stop comes first. After it the caller gets "not confirmed".
   */
  ROBOT_STOP_MS: 4_500,
  /** A motion that was cancelled has ended by then, or the robot gets a stop as well, milliseconds. */
  MOTION_CANCEL_MS: 1_000,
  /** Schedules of one daemon. */
  SCHEDULES_MAX: 64,
  /** A due time that is seen later than this was missed, milliseconds: the daemon was down, or the clock jumped. */
  SCHEDULE_LATE_MS: 10_000,
  /** Longest time between two looks at the clock, milliseconds: how soon a jump of it is noticed. */
  SCHEDULE_LOOK_MS: 1_000,
  /** Times counted when much was missed; beyond it the count is "at least". */
  SCHEDULE_SCAN_MAX: 1_000,
  /** Missed runs that `missed = "run_all"` starts, the newest; older ones count as skipped. */
  SCHEDULE_MAKE_UP_MAX: 24,
  /** Due times remembered per schedule, so that a clock that was set back fires none of them again. */
  SCHEDULE_TIMES_MAX: 1_000,
  /** Facts of a flow, serialized: they are in each `run.phase`. */
  FLOW_FACTS_BYTES_MAX: 16 * 1024,
  /** Params of an intent, serialized. */
  INTENT_PARAMS_BYTES_MAX: 64 * 1024,
  /** Arguments of one call of a tool, serialized. */
  TOOL_ARGS_BYTES_MAX: 32 * 1024,
  /** Questions to people that wait at a time; more are refused with `cell.overloaded`. */
  QUESTIONS_WAITING_MAX: 64,
  /** Time to find out whether an interrupted call has happened, while cells restart; later: unknown, milliseconds. */
  TOOL_PROBE_MS: 20_000,
  /** Result of one call of a tool, serialized; it travels in its `tool.returned`. Larger things are files or blobs. */
  TOOL_RESULT_BYTES_MAX: 128 * 1024,
  /** Images of one such result, which its event names; and characters of its own keys. */
  TOOL_RESULT_IMAGES_MAX: 16,
  TOOL_RESULT_KEY_CHARS_MAX: 256,
  /** Tools of one run that the log lists; the list has to fit one event. */
  RUN_TOOLS_MAX: 1_024,
  /** Payload of one event, serialized. Larger things are files that an event names by hash. */
  EVENT_PAYLOAD_BYTES_MAX: 256 * 1024,
  /** One answer of a model to an agent, milliseconds. */
  AGENT_MODEL_MS: 120_000,
  /** Tokens of one answer of a model to an agent, where its definition says nothing. */
  AGENT_ANSWER_TOKENS: 1_024,
  /** Characters of a result that a model gets; the log has all of it. */
  AGENT_RESULT_CHARS: 16_000,
  /** The same call with the same result so often in a row is a loop: the run fails. */
  AGENT_SAME_CALLS_MAX: 8,
  /** Answers in a row of which every call was refused or failed; then the model has failed. */
  AGENT_REFUSED_MAX: 20,
  /** How long models that cannot be reached are asked again before a run fails, milliseconds. */
  AGENT_PATIENCE_MS: 60_000,
  /** The same where a flow stands by to carry the mission, milliseconds. */
  AGENT_PATIENCE_DEGRADING_MS: 3_000,
  /** A flow that stands in for a model: first and longest time until the model is tried again, milliseconds. */
  AGENT_RETURN_MS: 30_000,
  AGENT_RETURN_MS_MAX: 600_000,
  /** One try whether a model answers again, milliseconds. */
  AGENT_RETURN_PROBE_MS: 10_000,
  /** From the start of a session to its extensions being ready, milliseconds. */
  AGENT_START_MS: 10_000,
  /** Deadline of one hook of an extension, milliseconds; then the session continues without it. */
  EXTENSION_HOOK_MS: 2_000,
  /** Default deadline of a command of an extension and of a call of its tools, milliseconds. */
  EXTENSION_CALL_MS: 30_000,
  /** Reading and starting one extension, milliseconds. */
  EXTENSION_LOAD_MS: 5_000,
  /** Faults in a row of one hook, tool or command; then its extension is isolated. */
  EXTENSION_FAULTS_MAX: 5,
  /** Files in the folder of the extensions of an application, with what they import. */
  EXTENSION_FILES_MAX: 64,
  /** One of those files, bytes. */
  EXTENSION_FILE_BYTES_MAX: 1024 * 1024,
  /** Events in one group commit. */
  LOG_BATCH_EVENTS_MAX: 512,
  /** Events waiting to be committed; append then refuses with `cell.overloaded`. */
  LOG_QUEUE_EVENTS_MAX: 65_536,
  /** Serialized payloads of those events; what a stalled disk may cost in memory. Refused the same way. */
  LOG_QUEUE_BYTES_MAX: 64 * 1024 * 1024,
  /** Default time a message between cells may take before its caller times out, milliseconds. */
  CELL_REQUEST_MS: 5_000,
  /** Requests one cell may have open at another. */
  CELL_REQUESTS_OPEN_MAX: 1024,
  /** A larger body of a message between cells is handed over in memory of the host; the supervisor passes its handle on. */
  MESSAGE_BYTES_MAX: 256 * 1024,
  /** Bodies of one cell that lie there at a time. */
  HANDED_BYTES_MAX: 256 * 1024 * 1024,
  /** How often a cell reports its work, milliseconds. */
  HEARTBEAT_MS: 250,
  /**
   * A cell silent for this long is killed and restarted; time in which the host starved it does not count,
   * milliseconds. It is looked at every HEARTBEAT_MS: one that hangs is found within 2 s.
   */
  HEARTBEAT_SILENT_MS: 1_750,
  /** A cell silent for this long is killed although the host starved it: a robot cannot wait forever, milliseconds. */
  HEARTBEAT_STARVED_MS: 15_000,
  /** HEARTBEAT_SILENT_MS where the host starved it for most of its silence: a loop is found by its processor time. */
  HEARTBEAT_SILENT_LOADED_MS: 2_000,
  /**
   * Of a process that starts, milliseconds. It loads its code without a pause, perhaps for the first time and from a cold
   * disk, and nothing moves by it yet. How long it may do nothing of its own; how much processor time it may take, in all
   * and without reading a file; and how long all of it may last, since a disk may never answer.
   */
  HEARTBEAT_BOOT_MS: 10_000,
  HEARTBEAT_BOOT_RUN_MS: 60_000,
  HEARTBEAT_BOOT_LOOP_MS: 15_000,
  HEARTBEAT_BOOT_STARVED_MS: 600_000,
  /** A cell with waiting work and no progress is restarted after this, milliseconds. */
  WORK_STALLED_MS: 10_000,
  /** The same where the host starves the threads that would do the work, milliseconds. */
  WORK_STARVED_MS: 30_000,
  /** SIGTERM to exit of everything, milliseconds; systemd waits longer than this. */
  SHUTDOWN_MS: 5_000,
  /** The supervisor waits this long for one cell to start before it starts the next, milliseconds. */
  CELL_START_MS: 20_000,
  /** First restart delay of a dead cell, milliseconds; doubles up to the next. */
  RESTART_FIRST_MS: 200,
  RESTART_MAX_MS: 30_000,
  /** A cell that stayed up this long starts its back-off again, milliseconds. */
  RESTART_FORGET_MS: 60_000,
  /** A velocity command older than this is not obeyed and the base stops, milliseconds. */
  COMMAND_EXPIRY_MS: 300,
  /** After a stop a command by hand counts as a new press when none came before it for this long, milliseconds. */
  NEW_PRESS_MS: 1_000,
  /** The start of a motion is dropped when it arrives later than this after it was asked for, milliseconds. */
  MOTION_EXPIRY_MS: 1_000,
  /** A thread whose timer is late by this was frozen: its earlier commands are void, milliseconds. */
  FROZEN_MS: 1_000,
  /** One question to a policy over any protocol, bytes: images of several cameras. */
  POLICY_PAYLOAD_BYTES_MAX: 32 * 1024 * 1024,
  /** One such question as JSON: reading it holds the thread that talks to the robot, some 10 ms per MiB of numbers. */
  INFERENCE_JSON_BYTES_MAX: 2 * 1024 * 1024,
  /** Values of the tensors of one such question, counted as float32 in any encoding. */
  POLICY_VALUES_MAX: 8 * 1024 * 1024,
  /** A question over HTTP above this is large. So many large ones are read at a time; more are refused. */
  INFERENCE_LARGE_BYTES: 2 * 1024 * 1024,
  INFERENCE_LARGE_MAX: 4,
  /** Policies of one daemon. */
  POLICIES_MAX: 32,
  /** Questions that wait for one policy, of all callers together. */
  POLICY_QUEUE_MAX: 64,
  /** Loading a policy, or reaching the server that has it, milliseconds. */
  POLICY_LOAD_MS: 30_000,
  /** The same for a policy that is first compiled for its device (TensorRT). */
  POLICY_COMPILE_MS: 320_000,
  /** Longest deadline of one question to a policy, milliseconds. */
  POLICY_DEADLINE_MS_MAX: 30_000,
  /** Sessions that queryables keep for returning callers, and how long, milliseconds. */
  POLICY_CALLERS_MAX: 256,
  POLICY_CALLER_IDLE_MS: 60_000,
  /** Codes that log a browser in: how many wait to be used, of all callers and of one token, and how long, milliseconds. */
  CONSOLE_CODES_MAX: 32,
  CONSOLE_CODES_PER_TOKEN: 4,
  CONSOLE_CODE_MS: 600_000,
  /** Conversations with models that callers outside of runs have open; more are refused. */
  CHATS_OPEN_MAX: 32,
  /** The same of one caller. */
  CHATS_PER_CALLER_MAX: 4,
  /** One request to a model from outside, with its images. */
  CHAT_REQUEST_BYTES_MAX: 8 * 1024 * 1024,
  /** Output of a model that its caller has not fetched; beyond it the call ends. */
  CHAT_UNREAD_BYTES_MAX: 1024 * 1024,
  /** A caller that fetches nothing for this long is gone, milliseconds. */
  CHAT_UNREAD_MS: 30_000,
  /** Longest that a call of a model from outside may take, milliseconds. */
  CHAT_DEADLINE_MS_MAX: 300_000,
  /** Cedar policies of one set (more take too long), and the height of an expression (Cedar overflows from 400). */
  CEDAR_POLICIES_MAX: 2_000,
  CEDAR_DEPTH_MAX: 160,
  /** The check of one set of policies, in a thread of its own, milliseconds. */
  CEDAR_CHECK_MS: 120_000,
  /** One policy hook. A hook that is later than this denies, milliseconds. */
  POLICY_HOOK_MS: 1_000,
  /** One query of the lakehouse, milliseconds, and the rows it may return. */
  LAKE_QUERY_MS: 30_000,
  LAKE_ROWS_MAX: 100_000,
  /** Queries at a time, those of one caller, and places for callers that have none; streams are among them. */
  LAKE_QUERIES_MAX: 8,
  LAKE_QUERIES_EACH_MAX: 3,
  LAKE_QUERIES_KEPT: 2,
  /**
   * Writable memory of the memory cell. The engine has a limit of its own (256 MB), which does not count the texts that
   * one step of a statement makes; beyond this one allocations fail, and so does the statement. An idle cell has
   * 0.8 GB, of which 0.15 GB are in use.
   */
  MEMORY_CELL_DATA_BYTES_MAX: 1536 * 1024 * 1024,
  /**
   * One answer of the lakehouse, bytes of its values as the engine holds them; counted before anything is converted.
   */
  LAKE_ANSWER_BYTES_MAX: 4 * 1024 * 1024,
  /** One value in it: four times the payload of an event. A longer text is cut with a mark. */
  LAKE_VALUE_BYTES_MAX: 1024 * 1024,
  /** One piece of a streamed answer, and all of its pieces. */
  LAKE_PAGE_BYTES: 512 * 1024,
  LAKE_STREAM_BYTES_MAX: 256 * 1024 * 1024,
  /** Streamed answers at a time: fewer than the lake has places for statements, so that slow clients leave some. */
  LAKE_STREAMS_MAX: 6,
  /** Of one principal, so that no principal takes all places. */
  LAKE_STREAMS_EACH_MAX: 2,
  /** A stream from which nothing is fetched for this long is closed, and one that lasts too long, milliseconds. */
  LAKE_STREAM_IDLE_MS: 5_000,
  LAKE_STREAM_LIFE_MS: 5 * 60_000,
  /** What one statement may read out of recorded segments with messages(): values in bytes, messages, calls. */
  LAKE_MESSAGES_BYTES_MAX: 128 * 1024 * 1024,
  LAKE_MESSAGES_MAX: 1_000_000,
  LAKE_MESSAGES_CALLS_MAX: 8,
  /** In tables of messages a longer `uint8[]`, other array or text, or more elements, stay in the segment. */
  LAKE_BLOB_BYTES_MAX: 4 * 1024,
  LAKE_ARRAY_BYTES_MAX: 64 * 1024,
  LAKE_ELEMENTS_MAX: 8 * 1024,
  /** A longer message is only decoded where its type bounds what that takes: no lists of structs or texts. */
  LAKE_NESTED_BYTES_MAX: 4 * 1024 * 1024,
  /** Text and arguments of one answer of a model: 1 MiB is some 250,000 tokens. */
  MODEL_ANSWER_BYTES_MAX: 1024 * 1024,
  /** Bytes that a server may send for one answer: a streamed token takes some 300. */
  MODEL_STREAM_BYTES_MAX: 64 * 1024 * 1024,
  /** Calls of tools in one answer. */
  MODEL_TOOL_CALLS_MAX: 32,
  /** Calls that wait for a place at one model; beyond it the next model is asked. */
  MODEL_QUEUE_MAX: 256,
  /** Answers of a model up to this stand in its event, serialized; larger ones are blobs. */
  MODEL_ANSWER_INLINE_BYTES_MAX: 48 * 1024,
  /** Models of one daemon. */
  MODELS_MAX: 64,
} as const;

/** Options of a thread that makes little garbage: a young heap of 2 MB (three such parts). */
export const SMALL_THREAD = { resourceLimits: { maxYoungGenerationSizeMb: 6 } } as const;
