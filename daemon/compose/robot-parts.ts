import type { RosApi, RosQosReport, SampleSource, TopicSpec } from '../../contract/core.ts';
import type { RobotTopics } from '../execution/control/robot-topics.ts';
import type { RobotSink } from '../execution/door/index.ts';
import type { LockstepWorld } from '../execution/lockstep.ts';

/** The robot as the execution cell meets it, wherever it is. */
export type RobotIo = {
  readonly source: SampleSource | undefined;
  /** Takes permits of the door only. */
  readonly sink: RobotSink | undefined;
  readonly topics: readonly TopicSpec[];
  readonly command: TopicSpec;
  /** What moves it beside that, where it says so itself. */
  readonly obeys?: readonly string[];
  readonly robotTopics: RobotTopics;
  /** Only a simulation in lockstep has one. */
  readonly world: LockstepWorld | undefined;
  readonly mapAreaM2: number | undefined;
  /** The rest of ROS beside its topics, where the robot is reached over it. */
  readonly rosApi?: RosApi;
  /** What happened to quality of service, counted by topic and kind. */
  readonly rosQosEvents?: () => readonly RosQosReport[];
  /** Called with topics that are heard from now on, as they are offered. */
  readonly onTopics?: (listen: (topics: readonly TopicSpec[]) => void) => void;
  /** Called with discovered topics that are no longer subscribed, since they have no publisher. */
  readonly onReleased?: (listen: (topics: readonly string[]) => void) => void;
  /** Subscribes a topic again that receives nothing. */
  readonly resubscribe?: (topic: string) => Promise<void>;
  /** Definition of a message type as the robot's own installation has it. */
  readonly definitionOf?: (type: string) => string | undefined;
};

/** What is heard of a robot on ROS, and what moves it. */
export type HeardTopics = Pick<RobotIo, 'topics' | 'command' | 'robotTopics'>;
