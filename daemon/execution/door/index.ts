export type { Asker, AskerKind, CommandTerms, Executed, Receipt, RefusedBy } from './command.ts';
export { Door, type DoorParts, type DoorPath, Permit, RobotSink } from './door.ts';
export { DoorCalls } from './door-calls.ts';
export { DoorGate, type DoorGateParts } from './door-gate.ts';
export { holdLease, type LeaseHold } from './lease-hold.ts';
export { MeasuredJoints } from './measured-joints.ts';
export { type TopicClass, TopicClasses, type TopicClassesOptions } from './topic-classes.ts';
