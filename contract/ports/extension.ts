import type { TSchema } from 'typebox';
import type { Intent } from '../intent.ts';
import type { Robot } from './robot.ts';
import type { ToolSpec } from './tool.ts';

/**
 * What a module under `extensions/` of an application exports by default. Called once for each load, with the part of
 * Pi's ExtensionAPI that is supported here; everything else is refused by name.
 */
export type ExtensionFactory = (pi: ExtensionApi) => void | Promise<void>;

export interface ExtensionApi {
  /** Event hooks, as Pi's sessions emit them. Events that a session here does not have are refused. */
  on(
    event: ExtensionEvent,
    handler: (event: ExtensionEventBody, context: ExtensionContext) => unknown,
  ): () => void;
  /** A tool, offered to the agent as `ext.<name>`. Its calls are judged, bounded and in the log like any other. */
  registerTool(tool: ExtensionTool): void;
  /** People say `/<name> …` to a run. */
  registerCommand(
    name: string,
    command: {
      readonly description?: string;
      handler(args: string, context: ExtensionContext): Promise<void> | void;
    },
  ): void;
  /** Sends a message to the run whose hook, tool or command is running; durable, and counted once. */
  sendUserMessage(text: string, options?: { readonly deliverAs?: 'steer' | 'followUp' }): void;
  /** Keeps something in the session; models do not see it. */
  appendEntry(customType: string, data?: unknown): void;
}

/** Hooks that a session has. docs/extensions.md describes their answers. */
export type ExtensionEvent =
  | 'session_start'
  | 'session_shutdown'
  | 'session_compact'
  | 'session_compact_failed'
  | 'before_agent_start'
  | 'agent_start'
  | 'agent_end'
  | 'agent_settled'
  | 'turn_start'
  | 'turn_end'
  | 'message_start'
  | 'message_update'
  | 'message_end'
  | 'context'
  | 'tool_call'
  | 'tool_result'
  | 'tool_execution_start'
  | 'tool_execution_end'
  | 'input';

export type ExtensionEventBody = { readonly type: ExtensionEvent } & Readonly<Record<string, unknown>>;

export type ExtensionContent =
  | { readonly type: 'text'; readonly text: string }
  /** `data` is base64. */
  | { readonly type: 'image'; readonly mimeType: 'image/jpeg' | 'image/png'; readonly data: string };

export type ExtensionTool = {
  /** Lower-case letters, digits and `_`, at most 48. */
  readonly name: string;
  readonly label?: string;
  readonly description: string;
  /** An object schema. It is closed: unknown fields are refused, nothing is coerced. */
  readonly parameters: TSchema;
  /** Where it is not given: `write`, `never`, 30 s. */
  readonly edge?: {
    readonly effect?: ToolSpec['effect'];
    readonly replay?: 'never' | 'safe';
    readonly deadlineMs?: number;
  };
  execute(
    callId: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal | undefined,
    onUpdate: undefined,
    context: ExtensionContext,
  ): Promise<{ readonly content: readonly ExtensionContent[]; readonly details?: unknown }>;
};

export type ExtensionContext = {
  readonly app: string;
  readonly runId: string;
  readonly intent: Intent;
  readonly mode: 'print';
  readonly hasUI: false;
  readonly signal: AbortSignal | undefined;
  /** The robot, for tools that say `effect: 'actuate'`: what they do with it is part of the call. */
  readonly robot: Robot | undefined;
  /** `notify` writes to the log of the daemon; questions are not possible: no person can answer them. */
  readonly ui: { notify(message: string, kind?: 'info' | 'warning' | 'error'): void };
  /** Read only; undefined outside of a session. */
  readonly sessionManager:
    | {
        getEntries(): readonly unknown[];
        getBranch(): readonly unknown[];
        getLeafId(): string | null;
      }
    | undefined;
};

/** One extension as people look at it. */
export type ExtensionView = {
  readonly app: string;
  /** Relative to the folder of the application. */
  readonly extension: string;
  readonly state: 'loaded' | 'failed' | 'isolated';
  /** Why it is in this state. If it is loaded and its new version is broken: the fault of that version. */
  readonly reason: string;
  readonly tools: readonly string[];
  readonly commands: readonly string[];
  readonly hooks: readonly string[];
  /** Of its folder, as loaded. */
  readonly sha256: string;
  /** Faults since it was loaded. */
  readonly faults: number;
};

export interface ExtensionsApi {
  extensions(): readonly ExtensionView[];
  /**
   * Reads the folder of an application again; isolated and failed extensions are tried again. Active runs keep what
   * they started with. `api.not_found`.
   */
  reloadExtensions(app: string): Promise<readonly ExtensionView[]>;
}
