import {
  type Application,
  type ChatApi,
  type ChatOpen,
  type Clock,
  EdgeError,
  type IdSource,
  type Intent,
  LIMITS,
  type ModelAnswer,
  type ModelOptions,
  type NewEvent,
} from '../../../contract/core.ts';
import type { ModelsOfRun } from '../attempt/active-run.ts';

export type ChatParts = {
  readonly models: ModelsOfRun;
  /** Names of the configured models, in their order. */
  readonly names: () => readonly string[];
  readonly clock: Clock;
  readonly ids: IdSource;
  /** Resolves when they are durable, and quotas have seen them. */
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
};

type Chat = Omit<ChatOpen, 'callId'>;

/** As hooks see it: this is no intent and no application, and policies may speak of it. */
export const CHAT = { app: 'inference', intent: 'inference/chat' } as const;
const APP: Application = {
  name: CHAT.app,
  version: '1',
  description: 'Calls of models from outside of any run',
  harness: 'remote',
  intents: [],
  deadlineMs: LIMITS.CHAT_DEADLINE_MS_MAX,
  afterCut: 'fail',
};
const CALLERS_REMEMBERED_MAX = 1_024;

/**
 * Calls of models that belong to no run: nodes of the key space and of ROS, programs with a token. They are judged, paid
 * for and logged as those of runs are, by the same router; at each model callers wait in turns with the runs.
 */
export class ChatDesk implements ChatApi {
  readonly #parts: ChatParts;
  /** Calls that are open, of each caller. */
  readonly #open = new Map<string, number>();
  /** The turn of a caller at the models goes by such an id. */
  readonly #turns = new Map<string, string>();
  #count = 0;

  constructor(parts: ChatParts) {
    this.#parts = parts;
  }

  async complete(
    chat: Chat,
    options: Pick<ModelOptions, 'onDelta' | 'signal' | 'traceparent'>,
  ): Promise<ModelAnswer> {
    const { caller, context, request, model } = chat;
    this.#admit(caller);
    const end = new AbortController();
    let told: Promise<void> = Promise.resolve();
    const emit: ChatParts['emit'] = (events) => {
      told = this.#parts.emit(events.map((event) => beside(event, context.tenant)));
      return told;
    };
    try {
      const language = this.#parts.models(this.#run(chat, end.signal, options.traceparent, emit));
      if (!language) throw this.#none('no model is configured: [[models]], see docs/models.md');
      const need = {
        ...request.need,
        ...(model === 'auto' ? {} : { prefer: [this.#known(model)], only: true }),
      };
      const answer = await language.complete({ ...request, need, purpose: 'chat' }, options);
      // Of a run the next event would wait for the end of the call; here nothing follows it, so the answer does.
      await told;
      return answer;
    } finally {
      end.abort();
      this.#leave(caller);
    }
  }

  #admit(caller: string): void {
    const own = this.#open.get(caller) ?? 0;
    const why =
      own >= LIMITS.CHATS_PER_CALLER_MAX
        ? `${own} calls of this caller are open already`
        : this.#count >= LIMITS.CHATS_OPEN_MAX
          ? `${this.#count} calls are open already`
          : undefined;
    if (why !== undefined)
      throw new EdgeError('cell.overloaded', {
        operation: 'chat',
        subject: caller.slice(0, 128),
        message: why,
      });
    this.#open.set(caller, own + 1);
    this.#count += 1;
  }

  #leave(caller: string): void {
    const left = (this.#open.get(caller) ?? 1) - 1;
    if (left > 0) this.#open.set(caller, left);
    else this.#open.delete(caller);
    this.#count -= 1;
  }

  /** The name of a model, as it is configured. */
  #known(model: string): string {
    const names = this.#parts.names();
    if (names.includes(model)) return model;
    throw new EdgeError('model.not_found', {
      operation: 'chat',
      subject: model.slice(0, 128),
      message: `no model ${model.slice(0, 128)}; there are: ${names.join(', ') || 'none'}, or auto`,
    });
  }

  /** What the router takes for a run. Its events are of none: they say whose tenant pays. */
  #run(
    { caller, context }: Chat,
    signal: AbortSignal,
    traceparent: string | undefined,
    emit: ChatParts['emit'],
  ): Parameters<ModelsOfRun>[0] {
    const { ids } = this.#parts;
    const intent: Intent = {
      intent_id: ids.next(),
      type: CHAT.intent,
      params: {},
      policy_ctx: context,
      targets: [],
      priority: 5,
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    return { runId: this.#turn(caller), intent, app: APP, signal, emit };
  }

  #turn(caller: string): string {
    const known = this.#turns.get(caller);
    if (known !== undefined) return known;
    if (this.#turns.size >= CALLERS_REMEMBERED_MAX) this.#turns.delete(this.#turns.keys().next().value!);
    const made = this.#parts.ids.next<string>();
    this.#turns.set(caller, made);
    return made;
  }

  #none(message: string): EdgeError {
    return new EdgeError('model.unavailable', {
      operation: 'chat',
      subject: 'models',
      message,
      retryable: false,
    });
  }
}

function beside(event: NewEvent, tenant: string): NewEvent {
  const { run_id: _, ...rest } = event;
  if (rest.kind !== 'model.called' && rest.kind !== 'model.returned') return rest as NewEvent;
  return { ...rest, payload: { ...rest.payload, tenant } } as NewEvent;
}
