import { Type } from 'typebox';
import {
  ask,
  byName,
  bytes,
  count,
  flag,
  floats,
  list,
  maybe,
  measured,
  nanoseconds,
  nothing,
  number,
  oneOf,
  reply,
  text,
} from './kit.ts';

/** A dense array, row-major. Units and frames are the policy's own and named in its description. */
export const Tensor = reply({ shape: list(number), data: floats });
/** An image as a policy takes it: [height, width, 3], row-major, interleaved rgb8. */
export const PictureTensor = reply({
  shape: Type.Unsafe<readonly [height: number, width: number, channels: 3]>(list(number)),
  data: bytes,
});

/** The inputs of one inference: named tensors, an optional task in words, and when they were measured. */
export const Observation = reply({
  tensors: byName(Tensor),
  /** By the same names as in the description; absent: a policy that does not see. */
  images: Type.Optional(byName(PictureTensor)),
  task: Type.Optional(text),
  /** Of the oldest input. */
  stamp: nanoseconds,
  /** The sample that each input was made of, for reports. */
  sources: Type.Optional(byName(reply({ topic: text, stamp: nanoseconds }))),
});

/** What one inference returns: `actions` is [horizon, dimension]; action i is for `stamp + i * stepMs`. */
export const ActionChunk = reply({
  actions: Tensor,
  stepMs: measured,
  /** When the observation was measured; copied from it. */
  stamp: nanoseconds,
  /** SHA-256 of the policy that made it. */
  policyHash: text,
});

const description = {
  name: text,
  hash: text,
  inputs: byName(list(number)),
  /** Images it takes: [height, width, 3]. */
  images: Type.Optional(byName(Type.Unsafe<readonly [number, number, 3]>(list(number)))),
  /** [horizon, dimension] */
  output: Type.Unsafe<readonly [number, number]>(Type.Array(number, { minItems: 2, maxItems: 2 })),
  stepMs: measured,
  /** What each number of an action is, for example a joint; absent: only the policy knows. */
  actionNames: Type.Optional(list(text)),
  /** It takes the coming actions that are fixed already (`InferOptions.prefix`): real-time chunking. */
  takesPrefix: Type.Optional(flag),
  /** It takes the task in words. */
  takesTask: Type.Optional(flag),
  /** Its answers depend on earlier observations of the episode; see `Policy.reset`. */
  remembers: Type.Optional(flag),
};
export const PolicyDescription = reply(description);

export const PolicyWire = oneOf(['control', 'zenoh', 'ros', 'http', 'lerobot', 'openpi', 'groot', 'local']);
/** The caller. Fairness is among callers of different `id`. */
export const PolicyCaller = reply({
  /** One connection or client, for example a peer address or a Zenoh id; `anonymous` where that is not known. */
  id: text,
  /** The way the caller came. `control` is the robot's own loop, which is served first. */
  wire: PolicyWire,
  /** Person or program by its token; `anonymous` where none was asked for. */
  principal: text,
});

export const ServedPolicy = reply({
  ...description,
  kind: text,
  state: oneOf(['ready', 'idle', 'failed']),
  reason: text,
  sessions: count,
  waiting: count,
  calls: count,
  failures: count,
  /** Duration of the last calls, milliseconds; undefined before the first. */
  p50Ms: maybe(measured),
  p99Ms: maybe(measured),
});

/** One server for clients of another protocol. */
export const WireServerView = reply({
  wire: PolicyWire,
  host: text,
  port: count,
  clients: count,
  questions: count,
  failures: count,
  /** Connections and requests that were turned away: no token, too many, of another protocol. */
  refused: count,
});

/** One question to the desk from another cell. Rejects as `PolicySession.infer`, and `model.not_found`. */
export const PolicyInferRequest = ask({
  caller: PolicyCaller,
  /** Undefined: the default policy. */
  policy: maybe(text),
  /** Names an episode of this caller, for policies with memory; undefined: the caller has only one. */
  session: maybe(text),
  /** A new episode starts with this question. */
  reset: Type.Optional(flag),
  observation: Observation,
  deadlineMs: maybe(number),
  prefix: maybe(Tensor),
  /** Name under which it can be cancelled. */
  call: maybe(text),
});
export const PolicyInferReply = reply({ chunk: ActionChunk });
export const PolicyListReply = reply({ policies: list(ServedPolicy) });
export const PolicyReloadRequest = ask({ name: text });
/** Absent: the default policy. */
export const PolicyDescribeRequest = ask({ policy: Type.Optional(text) });

export const POLICY_BODIES = {
  'policy.list': { ask: nothing, reply: PolicyListReply },
  'policy.infer': { ask: PolicyInferRequest, reply: PolicyInferReply },
  'policy.describe': { ask: PolicyDescribeRequest, reply: PolicyDescription },
  'policy.reload': { ask: PolicyReloadRequest, reply: ServedPolicy },
  'policy.cancel': { ask: ask({ call: text }), reply: reply({ cancelled: flag }) },
  'wire.list': { ask: nothing, reply: reply({ wires: list(WireServerView) }) },
} as const;
