export * from './checkers.ts';
export * from './core.ts';
/** Every motion, defined once. Schemas of goals are `MOTION_GOALS`; `motionSchemas` is how people and models write them. */
export { MOTION_GOALS, MOTION_OUTCOMES } from './goals.ts';
export * as motionSchemas from './wire.ts';
