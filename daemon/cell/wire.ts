import type { CellName, ErrorBody, WorkCounter } from '../../contract/index.ts';
import type { Handed } from './handoff.ts';

/** What travels between the supervisor and a cell, by structured clone. */
/** Which start of the cell this is, and why. */
type Start = { readonly attempt: number; readonly reason: string };
/** Builds the cell, log and parts: nothing works yet. */
export type MakeOrder = Start & { readonly t: 'make' };
/** Lets the cell work, and builds it first where it is not built yet. */
export type StartOrder = Start & { readonly t: 'start' };

export type Request = {
  readonly t: 'request';
  readonly id: number;
  readonly from: CellName;
  readonly to: CellName;
  readonly method: string;
  readonly body: unknown;
  /** Where the body lies; `body` is undefined then. */
  readonly handed?: Handed;
  /** When it was asked, by the monotonic clock of the host, milliseconds. */
  readonly madeAtMs: number;
  /** When what it asks for was wanted, where that was earlier. */
  readonly wantedAtMs?: number;
};
export type Response = {
  readonly t: 'response';
  readonly id: number;
  readonly to: CellName;
  readonly ok: boolean;
  readonly body: unknown;
  readonly handed?: Handed;
};
export type Broadcast = {
  readonly t: 'broadcast';
  readonly from: CellName | 'supervisor';
  readonly topic: string;
  readonly body: unknown;
};

export type ToCell = MakeOrder | StartOrder | { readonly t: 'stop' } | Request | Response | Broadcast;

export type Heartbeat = {
  readonly t: 'heartbeat';
  readonly work: readonly WorkCounter[];
  readonly rssBytes: number;
};
export type Report = {
  readonly t: 'report';
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
};

export type FromCell =
  | { readonly t: 'booted' }
  | { readonly t: 'started' }
  | { readonly t: 'failed'; readonly error: ErrorBody }
  | { readonly t: 'stopped' }
  | Heartbeat
  | Report
  | Request
  | Response
  | Broadcast;
