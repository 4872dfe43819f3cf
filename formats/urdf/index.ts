export { type LinkPoint, LinkPoints } from './link-points.ts';
export type { UrdfJoint, UrdfJointType, UrdfModel, Vector } from './model.ts';
export { readUrdf, URDF_BYTES_MAX } from './read-urdf.ts';
export { readVisuals, type UrdfVisual } from './read-visuals.ts';
export { type ChainLink, type ToolChain, ToolPoint, toolChain } from './tool-chain.ts';
