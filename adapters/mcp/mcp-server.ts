import {
  type Clock,
  EdgeError,
  LIMITS,
  type McpServerView,
  type McpToolView,
  type Timer,
  type Tool,
  type ToolAnswer,
  type ToolScope,
} from '../../contract/index.ts';
import { McpConnection } from './connection.ts';
import { ListWatch } from './list-watch.ts';
import type { McpServerConfig } from './server-config.ts';
import { StderrLog } from './stderr-log.ts';
import type { ToolPins } from './tool-pins.ts';
import { answerOf } from './tool-result.ts';
import { type ShelfTool, ToolShelf } from './tool-shelf.ts';

/** Calls of one server at a time; more are refused. */
const CALLS_MAX = 16;

export type McpServerParts = {
  readonly config: McpServerConfig;
  readonly pins: ToolPins;
  readonly clock: Clock;
  readonly version: string;
  /** For operators. */
  readonly report: (
    level: 'debug' | 'info' | 'warn',
    message: string,
    facts: Record<string, unknown>,
  ) => void;
  /** Reports failures and recoveries, for the log. */
  readonly degraded: (error: EdgeError) => void;
  readonly recovered: (subject: string) => void;
};

/**
 * One foreign server, kept: started when it is needed, started again with back-off when it failed, stopped when
 * it is unused. Its tools are known without it, from what was pinned.
 */
export class McpServer {
  readonly name: string;
  readonly #parts: McpServerParts;
  readonly #shelf: ToolShelf;
  readonly #made = new WeakMap<ShelfTool, Tool>();
  readonly #stderr: StderrLog;
  readonly #watch: ListWatch;
  #connection: McpConnection | undefined;
  #opening: Promise<McpConnection> | undefined;
  #listing: Promise<void> | undefined;
  /** The listing after it, shared by all callers in the meantime. */
  #next: Promise<void> | undefined;
  #retry: Timer | undefined;
  /** Of pins that could not be written. */
  #again: Timer | undefined;
  #unwritten = 0;
  #idle: Timer | undefined;
  #state: McpServerView['state'] = 'idle';
  #reason = '';
  #version = '';
  #failures = 0;
  #starts = 0;
  #notBefore = 0;
  #calls = 0;
  #legacy = false;
  #stopped = false;

  constructor(parts: McpServerParts) {
    this.#parts = parts;
    this.name = parts.config.name;
    this.#shelf = new ToolShelf(parts.config, parts.pins);
    this.#stderr = new StderrLog(parts.clock, (line, facts) =>
      parts.report('info', line, { server: this.name, ...facts }),
    );
    this.#watch = new ListWatch(parts.clock, () => void this.#list().catch(() => {}));
    if (parts.pins.damaged) {
      const message = 'what was allowed of its tools cannot be read: each has to be allowed again';
      parts.degraded(new EdgeError('mcp.failed', { operation: 'read pins', subject: this.subject, message }));
    }
  }

  get subject(): string {
    return `mcp.${this.name}`;
  }

  /** Starts it in the background if its tools are not known yet; otherwise it is started at its first call. */
  begin(): void {
    if (this.#shelf.known || this.#parts.config.apps.length === 0) return;
    void this.#connect().catch(() => {});
  }

  tools(): readonly Tool[] {
    return this.#shelf.tools().map((shelved) => this.#toolOf(shelved));
  }

  view(): McpServerView {
    const { config } = this.#parts;
    return {
      server: this.name,
      kind: config.command ? 'stdio' : 'http',
      state: this.#state,
      reason: this.#reason,
      version: this.#version,
      pid: this.#connection?.pid,
      restarts: Math.max(0, this.#starts - 1),
      apps: config.apps,
      tools: this.#shelf.views(),
    };
  }

  async allow(tool: string | undefined): Promise<void> {
    if (await this.#shelf.allow(tool)) return;
    throw new EdgeError('tool.not_found', { operation: 'allow', subject: `${this.subject}.${tool}` });
  }

  async refresh(): Promise<void> {
    this.#notBefore = 0;
    await this.#connect();
    await this.#list();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    this.#retry?.cancel();
    this.#again?.cancel();
    this.#idle?.cancel();
    const opened = await this.#opening?.catch(() => undefined);
    await (this.#connection ?? opened)?.close();
  }

  #toolOf(shelved: ShelfTool): Tool {
    const known = this.#made.get(shelved);
    if (known) return known;
    const made: Tool = { spec: shelved.spec, run: (args, scope) => this.#run(shelved, args, scope) };
    this.#made.set(shelved, made);
    return made;
  }

  async #run(
    shelved: ShelfTool,
    args: Readonly<Record<string, unknown>>,
    scope: ToolScope,
  ): Promise<ToolAnswer> {
    const { spec } = shelved;
    if (this.#calls >= CALLS_MAX) {
      const message = `${CALLS_MAX} calls of ${this.subject} are running`;
      throw new EdgeError('cell.overloaded', { operation: 'call', subject: spec.name, message });
    }
    this.#calls++;
    this.#idle?.cancel();
    try {
      return await this.#call(shelved, args, scope);
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#restUnlessUsed();
    }
  }

  async #call(
    shelved: ShelfTool,
    args: Readonly<Record<string, unknown>>,
    scope: ToolScope,
  ): Promise<ToolAnswer> {
    const { config } = this.#parts;
    const connection = await this.#connect();
    // The server may just have been started, and its tools may have changed.
    this.#shelf.confirm(shelved);
    const { definition, output, spec } = shelved;
    const { signal, intent, traceparent = intent.traceparent } = scope;
    try {
      const result = await connection.call(definition, args, {
        signal,
        deadlineMs: spec.deadlineMs,
        traceparent,
      });
      return answerOf(result, spec.name, config.resultBytesMax, output);
    } catch (thrown) {
      const late = signal.aborted || (thrown instanceof EdgeError && thrown.code === 'deadline.exceeded');
      if (late) void connection.checkAlive();
      throw thrown;
    }
  }

  /** The connection, or one that is being made. Rejects at once while the back-off of a failed one lasts. */
  #connect(): Promise<McpConnection> {
    if (this.#stopped) return Promise.reject(this.#failure('this robot is going down'));
    if (this.#connection) return Promise.resolve(this.#connection);
    const wait = this.#notBefore - this.#parts.clock.monotonicMs();
    if (!this.#opening && wait > 0) {
      return Promise.reject(
        this.#failure(`it failed (${this.#reason}) and is tried again in ${Math.ceil(wait / 1_000)} s`),
      );
    }
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<McpConnection> {
    this.#state = 'starting';
    this.#starts++;
    let opened: McpConnection | undefined;
    try {
      opened = await this.#dial();
      await this.#takeTools(opened);
      if (opened.ended) throw this.#failure('it ended as soon as it was started');
      if (this.#stopped) throw this.#failure('this robot is going down');
    } catch (thrown) {
      await opened?.close();
      this.#legacy = false;
      const error = EdgeError.from(thrown, 'mcp.failed', 'start', this.subject);
      this.#failed(error.message);
      throw error;
    }
    this.#connection = opened;
    this.#version = opened.version;
    if (this.#failures > 0) this.#parts.recovered(this.subject);
    this.#failures = 0;
    this.#state = 'up';
    this.#reason = '';
    this.#restUnlessUsed();
    return opened;
  }

  /** Some servers of 2025 exit on an unknown request: they are restarted without negotiation. */
  async #dial(): Promise<McpConnection> {
    try {
      return await this.#attempt();
    } catch (thrown) {
      const stdio = this.#parts.config.command !== undefined;
      if (!stdio || this.#legacy || this.#stopped || (thrown as EdgeError).code !== 'mcp.failed')
        throw thrown;
      this.#legacy = true;
      return await this.#attempt();
    }
  }

  async #attempt(): Promise<McpConnection> {
    const { config, clock, version } = this.#parts;
    let made: McpConnection | undefined;
    made = await McpConnection.open({
      config,
      clock,
      version,
      legacy: this.#legacy,
      onStderr: (line) => this.#stderr.add(line),
      onListChanged: () => this.#watch.changed(),
      onEnd: (reason) => this.#ended(made, reason),
    });
    return made;
  }

  async #takeTools(connection: McpConnection): Promise<void> {
    const { news, unpinned } = await this.#shelf.take(await connection.list());
    for (const view of news) this.#tell(view);
    this.#pinsWritten(unpinned);
  }

  /**
   * Pins that cannot be written, as on a full disk, end no connection: pinned tools stay in use, the rest is tried
   * again.
   */
  #pinsWritten(fault: EdgeError | undefined): void {
    const { clock, degraded, recovered, report } = this.#parts;
    const subject = `${this.subject}.pins`;
    this.#again?.cancel();
    if (!fault) {
      if (this.#unwritten > 0) recovered(subject);
      this.#unwritten = 0;
      return;
    }
    if (this.#stopped) return;
    const { code, message } = fault;
    const wait = backOff(this.#unwritten++);
    report('warn', 'what is allowed of an MCP server could not be written', {
      ...{ server: this.name, reason: message, retry_ms: wait },
    });
    if (this.#unwritten === 1)
      degraded(new EdgeError(code, { operation: 'pin tools', subject, message, cause: fault }));
    this.#again = clock.after(wait, () => {
      const taken = this.#connection ? this.#list() : this.#connect();
      taken.catch(() => {});
    });
  }

  /**
   * The result of a running listing, also that of a start, may be too old: then one more follows
   * it, for any number of requests.
   */
  async #list(): Promise<void> {
    const { clock } = this.#parts;
    const before = this.#listing ?? this.#opening;
    if (before) {
      this.#next ??= this.#listAfter(before);
      return await this.#next;
    }
    const connection = this.#connection;
    if (!connection) return;
    this.#listing = this.#takeTools(connection).finally(() => {
      this.#listing = undefined;
    });
    const began = clock.monotonicMs();
    await this.#listing;
    this.#parts.report('debug', 'tools of an MCP server were listed again', {
      server: this.name,
      ms: Math.round(clock.monotonicMs() - began),
    });
  }

  async #listAfter(before: Promise<unknown>): Promise<void> {
    await before.catch(() => {});
    this.#next = undefined;
    if (this.#connection && !this.#stopped) await this.#list();
    else await before;
  }

  #tell({ tool, state, reason }: McpToolView): void {
    const message = `${state}: ${reason}`;
    const hint = state === 'refused' ? '' : `look at it, then: auraison mcp allow ${this.name} ${tool}`;
    const error = new EdgeError('mcp.failed', {
      operation: 'take tool',
      subject: `${this.subject}.${tool}`,
      message,
      hint,
    });
    this.#parts.report('warn', 'a tool of an MCP server is not offered', {
      server: this.name,
      tool,
      state,
      reason,
    });
    if (state === 'changed') this.#parts.degraded(error);
  }

  #ended(connection: McpConnection | undefined, reason: string): void {
    // The end of one that is still being made is reported by its maker.
    if (!connection || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#idle?.cancel();
    void connection.close();
    this.#failed(reason);
  }

  #failed(reason: string): void {
    if (this.#stopped) return;
    const { clock } = this.#parts;
    const wait = backOff(this.#failures++);
    this.#state = 'failed';
    this.#reason = reason;
    this.#notBefore = clock.monotonicMs() + wait;
    this.#parts.report('warn', 'an MCP server failed', { server: this.name, reason, retry_ms: wait });
    if (this.#failures === 1) this.#parts.degraded(this.#failure(reason));
    this.#retry?.cancel();
    // A server with known tools is started when one of them is called.
    if (this.#shelf.known) return;
    this.#retry = clock.after(wait, () => {
      this.#notBefore = 0;
      this.#connect().catch(() => {});
    });
  }

  #restUnlessUsed(): void {
    const { clock, config } = this.#parts;
    this.#idle?.cancel();
    if (config.idleMs === 0) return;
    this.#idle = clock.after(config.idleMs, () => {
      if (this.#calls > 0 || !this.#connection) return;
      const connection = this.#connection;
      this.#connection = undefined;
      this.#state = 'idle';
      void connection.close();
    });
  }

  #failure(message: string): EdgeError {
    return new EdgeError('mcp.failed', { operation: 'call', subject: this.subject, message });
  }
}

function backOff(failures: number): number {
  return Math.min(LIMITS.MCP_RETRY_MAX_MS, LIMITS.MCP_RETRY_FIRST_MS * 2 ** Math.min(failures, 10));
}
