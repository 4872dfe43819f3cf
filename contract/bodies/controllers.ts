import { Type } from 'typebox';
import { ask, byName, count, list, maybe, measured, nothing, oneOf, reply, text } from './kit.ts';

const Words = Type.String({ maxLength: 4_096 });

/** It runs until it is stopped, its lease is lost, or `seconds` have passed. */
export const ControllerOrder = ask({
  controller: Type.String({ minLength: 1, maxLength: 4_096 }),
  /** The task in words, for policies that take one. */
  task: Type.Optional(Words),
  /** The step of a plan that it serves, for the record. */
  plan_step: Type.Optional(Words),
  /** Robot time it may take at most. */
  seconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 86_400 })),
  /** UUIDv7; asked again under the same id it is the same start. */
  motionId: Type.Optional(Words),
  /** The run that moves; its stop ends this controller. */
  run: Type.Optional(Words),
});

/** `controller` absent: all of them. `motionId`: only what this motion moves; absent: whatever moves. */
export const ControllerStop = ask({
  controller: Type.Optional(Words),
  reason: Type.Optional(Words),
  motionId: Type.Optional(Words),
  by: Type.Optional(Type.String({ maxLength: 128, description: 'principal that asked for it' })),
});

export const ControllerView = reply({
  name: text,
  policy: text,
  policy_hash: text,
  hz: measured,
  state: oneOf(['idle', 'running', 'starved', 'stopped', 'failed']),
  reason: text,
  steps: count,
  starved: count,
  clamped: count,
  refused: count,
  /** Inputs that are too old now: name and age, milliseconds. */
  stale: byName(measured),
  chunks: count,
  /** Chunks that were not taken: why (`late`, `early`, `misshapen`, `not_finite`, `far_outside`), and how many. */
  turned_down: byName(count),
  /** Path of an inference, from measurement to chunk: milliseconds. */
  inference_p50_ms: maybe(measured),
  inference_p99_ms: maybe(measured),
  /** Lateness of control steps, milliseconds; net: without the time that the thread waited for a processor. */
  late_p99_ms: maybe(measured),
  late_max_ms: maybe(measured),
  late_net_p99_ms: maybe(measured),
  /** Greatest lateness within about the last second, waits included: models give way by it. */
  late_recent_ms: Type.Optional(maybe(measured)),
  scheduling: oneOf(['fifo', 'other', 'unknown']),
});

export const CONTROLLER_BODIES = {
  'controller.list': { ask: nothing, reply: list(ControllerView) },
  'controller.start': { ask: ControllerOrder, reply: ControllerView },
  'controller.stop': { ask: ControllerStop, reply: list(ControllerView) },
} as const;
