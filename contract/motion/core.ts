/** Motions without the schema library: limits, conversions, times, facts, and checks made of the schemas. */
export * from './check.ts';
export * from './convert.ts';
export * from './facts.ts';
export type { GoalOf, MotionKind } from './goals.ts';
export * from './limits.ts';
export * from './ros-goals.ts';
export * from './times.ts';
