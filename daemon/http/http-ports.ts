import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type {
  A2aApi,
  ApprovalApi,
  AppsApi,
  AskApi,
  AutoStartView,
  CellBus,
  CellContext,
  CellName,
  ChatApi,
  Clock,
  ConfigApi,
  EngineApi,
  EventPayload,
  EventReader,
  ExtensionsApi,
  GoalOf,
  GovernanceApi,
  JudgedAction,
  McpServers,
  ModelsApi,
  MotionKind,
  PlansApi,
  PolicyContext,
  QuestionApi,
  ReplayApi,
  RunControlApi,
  RunTokensApi,
  RuntimeApi,
  RuntimesApi,
  ScheduleView,
  SkillShelf,
  TelemetryStats,
  WebhooksApi,
  Who,
} from '../../contract/index.ts';

/** An open segment of a recording. The stream closes it; so does `close`. */
export type SegmentBytes = {
  readonly bytes: number;
  /** Both ends are inclusive, in bytes. */
  stream(first: number, last: number): Readable;
  close(): Promise<void>;
};

/** Of a recording: from inclusive to exclusive, nanoseconds by log time; `topics` absent: all. */
export type BagPart = {
  readonly start_ns: string;
  readonly end_ns: string;
  readonly topics?: readonly string[];
};

/** Everything that the API calls. It owns no state of the robot: every answer comes from one of these. */
export type HttpPorts = {
  readonly clock: Clock;
  readonly runtime: RuntimeApi;
  /** Undefined: runs can be cancelled and nothing else. */
  readonly control?: RunControlApi;
  /** Questions of runs to people; undefined: no run can ask any. */
  readonly questions?: QuestionApi;
  /** Approvals that wait for a person. */
  readonly approvals?: ApprovalApi;
  /** The configuration of this daemon; absent: it is not shown. */
  readonly config?: ConfigApi;
  /** Policies, quotas, grants. */
  readonly governance?: GovernanceApi;
  /** Skills by application. */
  readonly skills?: ReadonlyMap<string, SkillShelf>;
  /** Modules in the folders of applications; undefined: they are off. */
  readonly extensions?: ExtensionsApi;
  /** Applications and their packages; absent: not available. */
  readonly apps?: AppsApi;
  /** Replay and comparison of runs; undefined: not available. */
  readonly replay?: ReplayApi;
  /** Foreign runtimes that may dial in; absent: none is configured, and none is listened for. */
  readonly runtimes?: RuntimesApi;
  /** Undefined: nothing is scheduled. */
  readonly schedules?: () => readonly ScheduleView[];
  /** Its answer is undefined unless the intent of this start waits to be accepted, or was refused. */
  readonly autoStart?: () => AutoStartView | undefined;
  /** Absent where no model is configured. */
  readonly models?: ModelsApi;
  /** Models for programs with a token. */
  readonly chat?: ChatApi;
  /** The model server that this daemon runs; absent: none. */
  /** The model server that is run now, if one is configured. */
  readonly engine?: () => EngineApi | undefined;
  /** Words of people as intents; absent: no model is configured. */
  readonly ask?: AskApi;
  /** Signed messages of other systems; absent: no webhook is configured. */
  readonly webhooks?: WebhooksApi;
  /** Text of agents while it comes; absent: not available. */
  readonly tokens?: RunTokensApi;
  /** Bytes that an event names by their SHA-256; undefined where they are gone. Absent: not available. */
  readonly blob?: (sha256: string) => Promise<Uint8Array | undefined>;
  /** A sealed segment of a recording as bytes; undefined where it does not exist. Absent: not available. */
  readonly segment?: (bag: string, file: string) => Promise<SegmentBytes | undefined>;
  /**
   * Writes what a person says about a time of a recording, under the id or a new one; durable when it resolves. Undefined
   * where there is no such recording. Absent: not available.
   */
  readonly annotate?: (
    words: Omit<EventPayload<'recording.annotated'>, 'annotation_id'>,
    id: string | undefined,
  ) => Promise<EventPayload<'recording.annotated'> | undefined>;
  /**
   * A part of a recording as an MCAP file, in a process of its own, one at a time; undefined where there is no such
   * recording. Rejects with `run.cancelled` when `signal` aborts. Absent: not available.
   */
  readonly cutBag?: (bag: string, part: BagPart, signal: AbortSignal) => Promise<SegmentBytes | undefined>;
  /** Plans of System 2; absent: none are made here. */
  readonly plans?: PlansApi;
  /** Counts of spans, by exporter and cell; absent: none are exported. */
  readonly telemetry?: () => Readonly<Record<string, TelemetryStats>>;
  /** Foreign MCP servers; undefined: none is configured. */
  readonly mcpServers?: McpServers;
  /** This robot as an MCP server; undefined: it is not one. It sends the answer itself, also when it fails. */
  readonly mcp?: (
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
    caller: PolicyContext,
  ) => Promise<void>;
  /** This robot as an agent of the Agent2Agent protocol; undefined: the configuration says no. */
  readonly a2a?: A2aApi;
  /** Writes the stop file for the execution cell when that does not answer; absent: there is no such way. */
  readonly leaveStop?: (words: string) => void;
  /** Asks the policies about a motion of the API; rejects with the refusal. Absent: no check. */
  readonly judgeMotion?: <K extends MotionKind>(
    kind: K,
    goal: GoalOf<K>,
    context: PolicyContext,
  ) => Promise<void>;
  /**
   * Asks the policies about actions that let the robot move without being a motion; rejects with the refusal. Absent:
   * no check.
   */
  readonly judgeAction?: (action: JudgedAction, context: PolicyContext) => Promise<void>;
  /** The other cells; a cell that is down rejects and its part of the answer says so. */
  readonly bus: Pick<CellBus, 'request' | 'onBroadcast'>;
  /** Opens the log of a cell for reading; may throw while that log does not exist yet. */
  openReader(cell: CellName): EventReader;
  readonly report: CellContext['report'];
  /** A fresh id per request: short, unguessable is not needed. */
  requestId(): string;
};

export type HttpAuth =
  | {
      readonly kind: 'token';
      readonly token: string;
      /** Others with tokens of their own. */
      readonly principals?: readonly { readonly token: string; readonly who: Who }[];
    }
  | { readonly kind: 'none' };

export type HttpConfig = {
  readonly robot: string;
  readonly version: string;
  /** Address to listen on; port 0 picks a free one. Ignored where `socketPath` is given. */
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string;
  readonly auth: HttpAuth;
  /** Role that releases the emergency stop; absent: operator. */
  readonly releaseRole?: string;
  /** Names under which this host may be addressed, besides IP addresses and localhost. */
  readonly hostNames?: readonly string[];
  /** Address under which clients of other protocols reach this API, where a proxy stands before it; absent: as they asked. */
  readonly publicUrl?: string;
  /** How long an answer waits for a client that takes nothing of it; absent: `LIMITS.API_STALLED_MS`. */
  readonly stalledMs?: number;
};
