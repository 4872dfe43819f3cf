/**
 * The contract without its schemas: errors, limits, times, ids, samples, messages, ports, and all of its types.
 * The schema library has some 670 modules: loading it costs a process or thread about 30 MB and 0.3 s of processor
 * time. Only code that checks untrusted input (the API, intents, answers of central) imports `index.ts`.
 */

export * from './a2a-limits.ts';
export * from './acp-limits.ts';
export * from './action-sources.ts';
export type * from './agent-event.ts';
export type * from './apps/index.ts';
export * from './body-check.ts';
export * from './calls.ts';
export * from './canonical.ts';
export * from './cell-messages.ts';
export * from './cell-name.ts';
export type * from './cell-report.ts';
export type * from './check.ts';
export * from './deadline.ts';
export * from './edge-error.ts';
export type * from './errors.ts';
export * from './event-domains.ts';
export * from './event-hash.ts';
export type * from './event-payloads.ts';
export * from './expiry.ts';
export * from './fits.ts';
export * from './freeze-watch.ts';
export * from './harness-marks.ts';
export * from './ids.ts';
export type * from './inference-messages.ts';
export type * from './intent.ts';
export type * from './lake-messages.ts';
export * from './limits.ts';
export type * from './link-identity.ts';
export type * from './link-objects.ts';
export type * from './link-orders.ts';
export type * from './link-wire.ts';
export * from './look-limits.ts';
export * from './model-need.ts';
export * from './model-trial.ts';
export * from './motion/core.ts';
export * from './nanoseconds.ts';
export * from './not-confirmed.ts';
export * from './object-lanes.ts';
export * from './parse-json.ts';
export type * from './phrase.ts';
export * from './plain-schema.ts';
export type * from './plan.ts';
export type * from './ports/index.ts';
export * from './principals.ts';
export * from './quotas.ts';
export * from './rest-watch.ts';
export type * from './ros-messages.ts';
export * from './route.ts';
export type * from './run-load.ts';
export type * from './run-state.ts';
export * from './run-status.ts';
export * from './runtime-limits.ts';
export type * from './runtime-wire.ts';
export * from './sample.ts';
export * from './sandbox-limits.ts';
export type * from './schedule.ts';
export type * from './skill.ts';
export * from './takeover.ts';
export type * from './time.ts';
export type * from './tool-call.ts';
export * from './topic-pattern.ts';
export * from './topic-tables.ts';
export * from './trace-context.ts';
