import type {
  EventPayload,
  Intent,
  LanguageModel,
  NewEvent,
  Robot,
  RunContext,
  RunMessage,
  RunTools,
  SessionEntry,
  Tool,
  ToolAnswer,
  ToolBox,
} from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

type Said = RunMessage & { readonly messageId: string };

export type AgentContextOptions = {
  readonly model: LanguageModel;
  readonly tools?: readonly Tool[];
  readonly session?: readonly SessionEntry[];
  readonly resume?: RunContext['resume'];
  /** Absent: all of the session where nothing is resumed. */
  readonly inherited?: number;
  /** What was said before this attempt. */
  readonly said?: readonly Said[];
};

/** A run as a harness sees it, without a cell around it: for what people say, forks and compaction. */
export class AgentContext {
  readonly events: NewEvent[] = [];
  readonly clock = new ManualClock();
  readonly context: RunContext;
  readonly calls: { readonly name: string; readonly args: unknown; readonly originId: string | undefined }[] =
    [];
  readonly refused: { name: string; args: unknown; code: string; originId: string | undefined }[] = [];
  readonly abort = new AbortController();
  #handler: ((message: Said) => Promise<void> | undefined) | undefined;

  constructor(options: AgentContextOptions) {
    const { tools = [], session = [], said = [] } = options;
    const toolBox: ToolBox = {
      specs: () => tools.map(({ spec }) => spec),
      call: async (name, args, { originId, signal = this.abort.signal } = {}) => {
        this.calls.push({ name, args, originId });
        const tool = tools.find(({ spec }) => spec.name === name);
        if (!tool) throw new Error(`no tool ${name}`);
        const scope = { runId: 'run', callId: 'call', intent: {} as Intent, clock: this.clock, signal };
        return (await tool.run(args as Record<string, unknown>, scope)) as ToolAnswer;
      },
      refuse: async (name, args, { code }, originId) => {
        this.refused.push({ name, args, code, originId });
      },
    };
    this.context = {
      runId: '0190a000-0000-7000-8000-000000000001',
      intent: { params: {} } as Intent,
      attempt: options.resume ? 2 : 1,
      signal: this.abort.signal,
      clock: this.clock,
      robot: {} as Robot,
      tools: {} as RunTools,
      toolBox,
      model: options.model,
      session,
      inherited: options.inherited ?? (options.resume ? 0 : session.length),
      onMessage: (handler) => {
        this.#handler = handler;
        for (const message of said) void handler(message);
      },
      unpaused: async () => {},
      resume: options.resume,
      emit: async (events) => {
        this.events.push(...events);
      },
    };
  }

  /** Says something to the run. */
  async say(message: Said): Promise<void> {
    await this.#handler?.(message);
  }

  /** The session as a later attempt or a fork finds it. */
  get session(): SessionEntry[] {
    return this.events.flatMap((event) => {
      if (event.kind !== 'session.entry') return [];
      const payload = event.payload as EventPayload<'session.entry'>;
      return [{ entryId: payload.entry_id, parentId: payload.parent_id, entry: payload.entry }];
    });
  }
}
