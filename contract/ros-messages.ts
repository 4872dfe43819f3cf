import type { BodyOf } from './bodies/kit.ts';
import type * as ros from './bodies/ros.ts';

/** Bodies and answers of the `ros.*` methods of the execution cell. Names with a leading slash; types in full. */
export type RosCallRequest = BodyOf<typeof ros.RosCallRequest>;
export type RosGoalRequest = BodyOf<typeof ros.RosGoalRequest>;
/** Feedback with a `feedbackSeq` above `after`; the newest hundred are kept. */
export type RosGoalQuery = BodyOf<typeof ros.RosGoalQuery>;
export type RosGoalCancel = BodyOf<typeof ros.RosGoalCancel>;
export type RosGoalView = BodyOf<typeof ros.RosGoalView>;
export type RosParamsRequest = BodyOf<typeof ros.RosParamsRequest>;
export type RosLifecycleRequest = BodyOf<typeof ros.RosLifecycleRequest>;
/** Without frames: the tree. */
export type RosTfRequest = BodyOf<typeof ros.RosTfRequest>;

/** An event about quality of service, counted since the daemon started. */
export type RosQosReport = BodyOf<typeof ros.RosQosReport>;

/** What `ros.graph` answers. */
export type RosGraphReply = BodyOf<typeof ros.RosGraphReply>;
/** What `ros.params` answers: names, or values, or why values were refused, by name. */
export type RosParamsReply = BodyOf<typeof ros.RosParamsReply>;
