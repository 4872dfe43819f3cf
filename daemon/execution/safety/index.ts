export { type BoxRow, type GateWishes, gateSpec, type JointRow } from './gate-from-urdf.ts';
export type { Box, JointGateSpec, JointLimits, JointVerdict, Measured, Workspace } from './gate-spec.ts';
export { type JointGate, makeJointGate } from './joint-gate.ts';
export { SafetyWatch, SafetyWord } from './safety-word.ts';
export { StopLatch } from './stop-latch.ts';
