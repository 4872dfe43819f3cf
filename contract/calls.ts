import type { CallBodies } from './bodies/index.ts';
import type { BodyOf } from './bodies/kit.ts';
import type { METHODS } from './cell-messages.ts';
import type { CellName } from './cell-name.ts';
import { LIMITS } from './limits.ts';
import { LOOK_LIMITS } from './look-limits.ts';
import { RECALL_LIMITS } from './recall-limits.ts';

/**
 * The budget of a call between cells: the caller checks the size of its question, the other cell that of its answer. A
 * body above `MESSAGE_BYTES_MAX` is handed over in memory of the host, and the receiver checks its size too.
 */
export type CallBudget = {
  readonly askBytes: number;
  readonly replyBytes: number;
  /** How long the caller waits by default, milliseconds. */
  readonly deadlineMs: number;
};

/** A call to a cell. */
export type Call<To extends CellName> = CallBudget & { readonly to: To };

const KIB = 1024;
const MIB = 1024 * KIB;

/** Budget of most calls: a few fields each way; lists of what a robot has are larger. */
const USUAL: CallBudget = { askBytes: 64 * KIB, replyBytes: MIB, deadlineMs: LIMITS.CELL_REQUEST_MS };
/** Bodies of API requests that are passed on as they are, with what the cell adds. */
const API_BODY = { askBytes: LIMITS.API_BODY_BYTES_MAX + 64 * KIB };
const LIST = { replyBytes: 8 * MIB };
/** One row may fill an answer of the lake. The lake counts its values; this counts the message around them too. */
const ROWS = { askBytes: 256 * KIB, replyBytes: 4 * LIMITS.LAKE_ANSWER_BYTES_MAX };
/** A conversation with its images; its texts may have two bytes for each character. */
const PICTURES = { askBytes: 2 * LIMITS.CHAT_REQUEST_BYTES_MAX };

const execution = (budget: Partial<CallBudget> = {}): Call<'execution'> => ({
  ...{ to: 'execution', ...USUAL, ...budget },
});
const runtime = (budget: Partial<CallBudget> = {}): Call<'runtime'> => ({
  ...{ to: 'runtime', ...USUAL, ...budget },
});
const memory = (budget: Partial<CallBudget> = {}): Call<'memory'> => ({
  ...{ to: 'memory', ...USUAL, ...budget },
});
const link = (budget: Partial<CallBudget> = {}): Call<'link'> => ({
  ...{ to: 'link', ...USUAL, ...budget },
});

/**
 * Every call between cells: the cell that answers and the budget. Names are those of `METHODS`; `bodies/` has the
 * schemas of question and answer.
 */
export const CALLS = {
  'execution.status': execution(LIST),
  'robot.state': execution(),
  'robot.map': execution({ replyBytes: LIMITS.MAP_CELLS_MAX + 1024 }),
  'robot.navigate': execution(),
  'robot.maneuver': execution(),
  'robot.cancel': execution(),
  'robot.stop': execution(),
  'arm.state': execution(),
  'arm.figure': execution(LIST),
  'arm.follow': execution({ askBytes: 4 * MIB }),
  'arm.gripper': execution(),
  'arm.stop': execution(),
  'recorder.seal': execution(),
  'recorder.clip': execution(),
  'recorder.clips': execution(LIST),
  'episode.start': execution(),
  'episode.stop': execution(),
  'episode.discard': execution(),
  'episode.relabel': execution(),
  'episode.list': execution(LIST),
  'bag.play': execution(API_BODY),
  'bag.play_state': execution(),
  'bag.play_stop': execution(),
  'bag.play_control': execution(),
  'bag.adopt': execution(),
  // The image travels by its handle.
  'look.image': execution({ replyBytes: 64 * KIB, deadlineMs: LOOK_LIMITS.LOOK_MS }),
  'look.scan': execution({ replyBytes: 2 * MIB }),
  'attach.open': execution({ deadlineMs: LIMITS.ATTACH_OPEN_MS }),
  'ros.graph': execution(LIST),
  'ros.call': execution({ ...API_BODY, ...LIST }),
  'ros.goal_send': execution({ ...API_BODY, ...LIST }),
  'ros.goal_view': execution(LIST),
  'ros.goal_cancel': execution(LIST),
  'ros.params': execution({ ...API_BODY, ...LIST }),
  'ros.lifecycle': execution(LIST),
  'ros.tf': execution(LIST),
  'topic.list': execution(LIST),
  'topic.next': execution({ ...LIST, deadlineMs: LIMITS.TOPIC_WAIT_MS_MAX + 2_000 }),
  'topic.publish': execution({ askBytes: 2 * API_BODY.askBytes }),
  'policy.list': execution(LIST),
  'policy.infer': execution({
    // The bytes as received, or the float32 values of a JSON question.
    askBytes: LIMITS.POLICY_PAYLOAD_BYTES_MAX + 4 * LIMITS.POLICY_VALUES_MAX,
    ...LIST,
  }),
  'policy.describe': execution(LIST),
  'policy.reload': execution(),
  'policy.cancel': execution(),
  'wire.list': execution(),
  'controller.list': execution(LIST),
  'controller.start': execution(API_BODY),
  'controller.stop': execution(),
  'lease.state': execution(),
  'lease.take': execution(),
  'lease.renew': execution(),
  'lease.return': execution(),
  'teleop.command': execution(),
  'estop.state': execution(),
  'estop.engage': execution(),
  'estop.release': execution(),

  'runtime.status': runtime(LIST),
  'intent.submit': runtime(API_BODY),
  'run.briefs': runtime({ replyBytes: 32 * MIB }),
  'run.cancel': runtime(),
  'approval.list': runtime(LIST),
  'approval.answer': runtime(),
  'grant.install': runtime(API_BODY),
  'infer.plan': runtime(API_BODY),
  'infer.plan_cancel': runtime(),
  'infer.chat_open': runtime(PICTURES),
  'infer.chat_next': runtime({ replyBytes: 4 * LIMITS.CHAT_UNREAD_BYTES_MAX }),
  'infer.chat_cancel': runtime(),

  'memory.status': memory(),
  'lake.query': memory(ROWS),
  'lake.read': memory(ROWS),
  'lake.read_next': memory(ROWS),
  'lake.read_close': memory(),
  'lake.sync': memory(),
  'lake.rebuild': memory(),
  'lake.move': memory(),
  'recall.ask': memory({ deadlineMs: RECALL_LIMITS.ASK_MS + 1_000 }),
  'recall.again': memory({ deadlineMs: RECALL_LIMITS.ASK_MS + 1_000 }),
  'recall.status': memory(),
  'recall.rebuild': memory(),

  'link.status': link(),
  'link.sync': link(),
  'link.disk_open': link(),
  'link.disk_next': link(),
  'link.disk_piece': link({ replyBytes: LIMITS.LINK_DISK_PIECE_BYTES_MAX + 64 * KIB }),
  'link.disk_sign': link({ replyBytes: LIMITS.LINK_DISK_MANIFEST_BYTES_MAX + 64 * KIB }),
  'link.disk_receipts': link({ ...API_BODY, ...LIST }),
} as const;

/** A broadcast: news that every cell hears, or the configuration. */
export const BROADCAST_BYTES_MAX = 4 * MIB;
/** Facts that come with one line for operators. */
export const REPORT_BYTES_MAX = 64 * KIB;

export type CallName = keyof typeof CALLS;
export type CallTo<N extends CallName> = (typeof CALLS)[N]['to'];
/** Receivers do not change it; `contract/bodies` has the schemas. */
export type CallAsk<N extends CallName> = BodyOf<CallBodies[N]['ask']>;
export type CallReply<N extends CallName> = BodyOf<CallBodies[N]['reply']>;
/** Calls that the execution cell answers. */
export type ExecutionCall = { [N in CallName]: CallTo<N> extends 'execution' ? N : never }[CallName];
/** Calls that the runtime answers. */
export type RuntimeCall = { [N in CallName]: CallTo<N> extends 'runtime' ? N : never }[CallName];
type Named = {
  [C in keyof typeof METHODS]: (typeof METHODS)[C][keyof (typeof METHODS)[C]];
}[keyof typeof METHODS];
/** Does not compile if a name is not in all of the maps. */
export const CALL_OF: (name: Named) => CallName & keyof CallBodies = (name) => name;

/** The budget of a call by its name; an unknown name (a test, an older cell) has the usual budget. */
export function budgetOf(name: string): CallBudget {
  return Object.hasOwn(CALLS, name) ? CALLS[name as CallName] : USUAL;
}
