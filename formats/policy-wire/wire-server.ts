import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type Clock,
  type EdgeError,
  LIMITS,
  type PolicyDescription,
  type PolicyDesk,
  type PolicySession,
  type WireServerView,
} from '../../contract/core.ts';
import type { WireKeysFile } from './wire-keys.ts';

/** What the servers of all wires are started with. */
export type WireServerOptions = {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** What a client has to show; undefined: nothing. */
  readonly token: string | undefined;
  /** Connections at a time; more are refused. */
  readonly clientsMax: number;
  /** One question, milliseconds: these wires know no deadlines. */
  readonly deadlineMs: number;
  /** The names of the wire for what policies take and give, where they are not the default. */
  readonly keys: WireKeysFile;
  readonly clock: Clock;
  /** What a client did wrong or met, for the log; rate is the log's business. */
  onFault(error: EdgeError, client: string): void;
};

export type { WireServerView };

export type WireServer = {
  view(): WireServerView;
  /** True when the policies now take larger questions than this server accepts. The server then has to be restarted. */
  outgrown?(): boolean;
  /** Clients are disconnected; what they asked is dropped. May be called twice. */
  close(): Promise<void>;
};

/** In constant time, whatever the lengths. */
export function sameToken(given: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given ?? ''), digest(token)) && given !== undefined;
}

/**
 * Of the policy that answers in this session; undefined: it is not known, or it was taken away and the session is
 * over.
 */
export function hashBehind(session: PolicySession): string | undefined {
  try {
    return session.describe().hash;
  } catch {
    return undefined;
  }
}

/** Beside its arrays an observation has names and a task; a foreign policy's extra keys are let pass. */
const SLACK_BYTES = 1024 * 1024;
/** Arrays may come in eight bytes a number, images in batches of which one is used. */
const ROOM = 4;

/**
 * The most that a question may have for the policies of this desk: what is larger is refused before it is in memory.
 */
export function questionBytesMax(desk: PolicyDesk): number {
  const sizes = desk.policies().map((policy) => ROOM * observationBytes(policy) + SLACK_BYTES);
  return Math.min(LIMITS.POLICY_PAYLOAD_BYTES_MAX, Math.max(SLACK_BYTES, ...sizes));
}

function observationBytes({ inputs, images }: PolicyDescription): number {
  const size = (shape: readonly number[]) => shape.reduce((product, axis) => product * axis, 1);
  const numbers = Object.values(inputs).reduce((sum, shape) => sum + size(shape) * 4, 0);
  return numbers + Object.values(images ?? {}).reduce((sum, shape) => sum + size(shape), 0);
}
