import type {
  ClientConnection,
  InitializeResponse,
  McpServer,
  NewSessionRequest,
} from '@agentclientprotocol/sdk';
import {
  ACP_LIMITS,
  type Clock,
  EdgeError,
  settledWithin,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { carryOut, RunEnd } from '../../io/hosted-work.ts';
import { type AgentLink, agentError } from './agent-link.ts';
import type { HostedRun, RunOutcome, Said } from './hosted-run.ts';
import { permission } from './permissions.ts';
import { firstPrompt, laterPrompt } from './prompt-text.ts';
import { robotTool } from './robot-calls.ts';
import { RunTools } from './run-tools.ts';
import { SilenceWatch } from './silence-watch.ts';
import { Transcript } from './transcript.ts';

/** Tools of a run behind an MCP server that only its agent can reach. */
export type Offered = {
  /** What the agent is given; `http`: it speaks MCP over HTTP. */
  server(http: boolean): McpServer;
  close(): Promise<void>;
};

export type AcpParts = {
  readonly clock: Clock;
  /** As errors name the agent. */
  readonly name: string;
  /** Where the agent works, an absolute path. */
  readonly folder: string;
  /** Distinguishes one life of a run from another; letters and digits. */
  readonly life: () => string;
  readonly silenceMs?: number;
  /** Method by which the agent logs in before its session; absent: it is logged in. */
  readonly login?: string;
  /** Mode of the agent's session; absent: its own choice. */
  readonly mode?: string;
  start(): Promise<AgentLink>;
  offer(tools: RunTools): Promise<Offered>;
  readonly report: (level: 'info' | 'warn', message: string, facts: Record<string, unknown>) => void;
};

/** Reasons of a turn that ended without the agent being done. */
const ENDED_EARLY: Readonly<Record<string, string>> = {
  max_tokens: 'its model reached its limit of tokens',
  max_turn_requests: 'its turn reached its limit of requests',
  refusal: 'its model refused to continue',
};
type AuthWay = { readonly id: string; readonly name: string; readonly description?: string };

/** The protocol's error where the agent has no account. */
const AUTH_REQUIRED = -32000;

/**
 * Carries out one run with an agent of the Agent Client Protocol: starts it, opens or loads its session, prompts it, and
 * ends it with everything that it has open. Rejects with the cause where the agent dies, is silent, or breaks the protocol.
 */
export async function acpRun(run: HostedRun, parts: AcpParts): Promise<RunOutcome> {
  return await carryOut(new AcpRun(run, parts));
}

class AcpRun {
  readonly #run: HostedRun;
  readonly #parts: AcpParts;
  readonly #tools: RunTools;
  readonly #transcript: Transcript;
  readonly #silence: SilenceWatch;
  /** Rejects when the run, the agent or the patience with it is over. */
  readonly #over: RunEnd;
  readonly #messages: Said[] = [];
  #link: AgentLink | undefined;
  #offered: Offered | undefined;
  #connection: ClientConnection | undefined;
  #session = '';
  #prompting: Promise<unknown> | undefined;
  #interrupted = false;
  #questions = 0;
  /** Settles the turn of an agent that called `run_finish` and does not end its turn. */
  readonly #enough = Promise.withResolvers<{ readonly stopReason: string }>();
  readonly #farewell: Timer[] = [];

  constructor(run: HostedRun, parts: AcpParts) {
    this.#run = run;
    this.#over = new RunEnd(run);
    this.#parts = parts;
    const { clock, name, silenceMs = ACP_LIMITS.SILENCE_MS } = parts;
    const life = parts.life();
    this.#tools = new RunTools(run, life, () => ({
      ...{ session: this.#session, folder: parts.folder },
    }));
    const names = this.#tools.list().map((tool) => tool.name);
    this.#transcript = new Transcript(run, clock, life, (title) => robotTool(title, names) !== undefined);
    this.#silence = new SilenceWatch(clock, silenceMs, () => {
      // An agent that waits for a tool or for a person is not silent.
      if (this.#tools.open > 0 || this.#questions > 0) return this.#silence.heard();
      const seconds = Math.round(silenceMs / 1_000);
      this.#over.cut(agentError('deadline.exceeded', name, `it did nothing for ${seconds} s`));
    });
    this.#tools.onActivity = () => {
      this.#silence.heard();
      if (this.#tools.outcome) this.#dismiss();
    };
    run.onMessage = (said) => this.#onMessage(said);
  }

  async work(): Promise<RunOutcome> {
    const { clock, name } = this.#parts;
    this.#link = await this.#parts.start();
    void this.#link.ended.then((error) => this.#over.cut(error));
    this.#offered = await this.#parts.offer(this.#tools);
    const opening = this.#over.race(this.#open(this.#link, this.#offered));
    const loaded = await withDeadline(clock, ACP_LIMITS.OPEN_MS, opening, 'open session', name);
    return await this.#turns(firstPrompt(this.#run, loaded));
  }

  /** Ends the turn, the calls and the agent, in this order; the robot stands before the run is reported. */
  async end(): Promise<void> {
    const { clock } = this.#parts;
    this.#silence.stop();
    for (const timer of this.#farewell) timer.cancel();
    this.#run.onMessage = () => {};
    this.#tools.close();
    if (this.#prompting) {
      this.#cancelTurn();
      await settledWithin(clock, ACP_LIMITS.CANCEL_MS, this.#prompting);
    }
    if (!this.#run.signal.aborted) await settledWithin(clock, ACP_LIMITS.SETTLE_MS, this.#tools.idle());
    this.#transcript.endTurn();
    await settledWithin(clock, ACP_LIMITS.SETTLE_MS, this.#transcript.written());
    const { leftOut } = this.#transcript;
    if (leftOut > 0) this.#parts.report('warn', 'entries are not in the log', { run: this.#run.id, leftOut });
    await settledWithin(clock, ACP_LIMITS.SETTLE_MS, this.#offered?.close() ?? Promise.resolve());
    this.#connection?.close();
    await this.#link?.close();
  }

  /** True where the agent has its former session again. */
  async #open({ stream, updates }: AgentLink, offered: Offered): Promise<boolean> {
    const { client, methods } = await import('@agentclientprotocol/sdk');
    updates.take = ({ sessionId, update }) => {
      this.#silence.heard();
      if (sessionId === this.#session) this.#transcript.take(update);
    };
    this.#connection = client({ name: 'auraison-edge' })
      .onRequest(methods.client.session.requestPermission, async ({ params, signal }) => {
        this.#questions++;
        try {
          const known = this.#transcript.call(params.toolCall.toolCallId);
          const either = AbortSignal.any([signal, this.#run.signal]);
          return await permission(params, known, this.#tools, either);
        } finally {
          this.#questions--;
          this.#silence.heard();
        }
      })
      .connect(stream);
    const { agent } = this.#connection;
    const about = await agent.request(methods.agent.initialize, {
      protocolVersion: 1,
      clientInfo: { name: 'auraison-edge', version: '1' },
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    });
    this.#checkVersion(about);
    const { login: methodId } = this.#parts;
    if (methodId !== undefined)
      await agent
        .request(methods.agent.authenticate, { methodId })
        .catch((thrown: unknown) => this.#notOpened(thrown, about));
    const { loadSession = false, mcpCapabilities } = about.agentCapabilities ?? {};
    const { folder: cwd, report } = this.#parts;
    const common: NewSessionRequest = { cwd, mcpServers: [offered.server(mcpCapabilities?.http === true)] };
    const { session, folder } = this.#run.resume?.facts ?? {};
    let loaded = false;
    if (loadSession && typeof session === 'string' && session !== '' && folder === cwd)
      try {
        await agent.request(methods.agent.session.load, { sessionId: session, ...common });
        this.#session = session;
        loaded = true;
      } catch (thrown) {
        report('warn', 'the agent has not its former session', { session, error: String(thrown) });
      }
    if (!loaded) {
      const opened = agent.request(methods.agent.session.new, common);
      const { sessionId } = await opened.catch((thrown: unknown) => this.#notOpened(thrown, about));
      this.#session = sessionId;
      // Without a session to load, a later attempt needs the calls of this phase.
      if (loadSession) await this.#tools.enterPhase('the session of the agent is open');
    }
    const { mode: modeId, name } = this.#parts;
    if (modeId !== undefined) {
      const set = agent.request(methods.agent.session.setMode, { sessionId: this.#session, modeId });
      await set.catch((thrown: unknown) => {
        throw agentError('runtime.refused', name, `it has no mode ${modeId}: ${words(thrown)}`);
      });
    }
    return loaded;
  }

  async #turns(first: string): Promise<RunOutcome> {
    let prompt = first;
    for (let turn = 0; turn < ACP_LIMITS.TURNS_MAX; turn++) {
      const reason = await this.#turn(prompt);
      this.#transcript.endTurn();
      const said = this.#messages.shift();
      if (said) {
        prompt = laterPrompt(said);
        continue;
      }
      const { outcome } = this.#tools;
      if (outcome) return outcome;
      if (reason === 'end_turn')
        return { status: 'succeeded', reason: this.#transcript.said.slice(0, 512) || 'the agent is done' };
      if (reason === 'cancelled') return { status: 'cancelled', reason: 'the agent cancelled its turn' };
      throw agentError('runtime.refused', this.#parts.name, ENDED_EARLY[reason] ?? `it stopped: ${reason}`);
    }
    throw agentError('runtime.refused', this.#parts.name, `${ACP_LIMITS.TURNS_MAX} turns are over`);
  }

  /** One prompt to its end; gives its stop reason. */
  async #turn(text: string): Promise<string> {
    this.#interrupted = false;
    this.#silence.start();
    const asked = this.#connection!.agent.request('session/prompt', {
      sessionId: this.#session,
      prompt: [{ type: 'text', text }],
    });
    this.#prompting = asked;
    try {
      return (await this.#over.race(Promise.race([asked, this.#enough.promise]))).stopReason;
    } catch (thrown) {
      throw thrown instanceof EdgeError
        ? thrown
        : agentError('runtime.refused', this.#parts.name, words(thrown));
    } finally {
      this.#silence.stop();
      // After an end for another reason the turn may still be open: `end` cancels it.
      void asked.then(
        () => this.#closeTurn(asked),
        () => this.#closeTurn(asked),
      );
    }
  }

  #closeTurn(asked: Promise<unknown>): void {
    if (this.#prompting === asked) this.#prompting = undefined;
  }

  /** What a person says comes in the next turn; to steer ends the present one, between two calls. */
  #onMessage(said: Said): void {
    if (this.#messages.length < ACP_LIMITS.NOTES_WAITING_MAX) this.#messages.push(said);
    if (said.kind !== 'steer' || this.#interrupted) return;
    this.#interrupted = true;
    void this.#tools.idle().then(() => this.#cancelTurn());
  }

  #cancelTurn(): void {
    if (!this.#prompting || !this.#connection) return;
    void this.#connection.agent.notify('session/cancel', { sessionId: this.#session }).catch(() => {});
  }

  /** The agent said that its run is over: its turn has a little time to end. */
  #dismiss(): void {
    if (this.#farewell.length > 0) return;
    const { clock } = this.#parts;
    const { SETTLE_MS, CANCEL_MS } = ACP_LIMITS;
    this.#farewell.push(clock.after(SETTLE_MS, () => this.#cancelTurn()));
    this.#farewell.push(
      clock.after(SETTLE_MS + CANCEL_MS, () => this.#enough.resolve({ stopReason: 'end_turn' })),
    );
  }

  #checkVersion({ protocolVersion }: InitializeResponse): void {
    if (protocolVersion === 1) return;
    const what = `it speaks version ${protocolVersion} of the Agent Client Protocol, expected 1`;
    throw agentError('runtime.refused', this.#parts.name, what);
  }

  #notOpened(thrown: unknown, { authMethods }: InitializeResponse): never {
    const { code } = thrown as { code?: unknown };
    const { name } = this.#parts;
    const known = (authMethods ?? []) as readonly AuthWay[];
    if (code !== AUTH_REQUIRED || known.length === 0)
      throw agentError('runtime.refused', name, `it opens no session: ${words(thrown)}`);
    const ways = known
      .map(({ id, name: label, description }) => `${id} (${description || label})`)
      .join('; ');
    const what = `it is not logged in; it knows ${ways}`;
    throw agentError('runtime.refused', name, what, 'log in once on this host, or name a way with --login');
  }
}

/** The message of an error, with what the agent says beside it: `Internal error` alone helps no one. */
function words(thrown: unknown): string {
  const { message, data } = (thrown ?? {}) as { readonly message?: string; readonly data?: unknown };
  const details = (data as { readonly details?: unknown } | undefined)?.details ?? data;
  const more =
    details === undefined ? '' : `: ${typeof details === 'string' ? details : JSON.stringify(details)}`;
  return `${message ?? String(thrown)}${more}`.slice(0, 400);
}
