import type { Clock, JsonValue, Robot, RunTools } from '../../../contract/index.ts';
import type { Ports } from './ports.ts';

export type LeafEnd = {
  readonly ok: boolean;
  readonly reason: string;
  /** By port. */
  readonly out?: Readonly<Record<string, JsonValue>>;
  /** What the node remembers until it runs again. */
  readonly memory?: JsonValue;
};

export type LeafCall = {
  /** What stands at a port, with the type of that port; undefined: it is not given. */
  value(port: string): JsonValue | undefined;
  /** What a key of the blackboard has. */
  lookup(key: string): JsonValue | undefined;
  readonly tools: Pick<RunTools, 'call'>;
  readonly robot: Pick<Robot, 'state'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly memory: JsonValue | undefined;
};

/** What a node without children is. */
export type Leaf = {
  readonly ports: Ports;
  /** Ports of other implementations that are taken and have no effect. */
  readonly ignored?: readonly string[];
  /** Tools that it calls; app.toml names them. */
  readonly tools?: readonly string[];
  /** It may be repeated beside an action: it is short and moves nothing. */
  readonly beside?: boolean;
  /** It always ends so. */
  readonly fixed?: 'success' | 'failure';
  /** What a reader of the check should know. */
  readonly note?: string;
  /** Where one of its inputs changes while it runs, it is started again with the new one. */
  readonly follows?: boolean;
  /** At most this long, seconds: the port that says so. */
  readonly limit?: string;
  act(call: LeafCall): Promise<LeafEnd> | LeafEnd;
};
