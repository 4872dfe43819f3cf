import {
  type AgentEvent,
  canonicalJson,
  EdgeError,
  type EventPayload,
  IdSource,
} from '../../../contract/index.ts';
import type { Answered } from '../gate/tool-gate.ts';

export type Asked = {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly originId?: string | undefined;
};
type Called = EventPayload<'tool.called'>;
type Returned = EventPayload<'tool.returned'>;

/** What the record says of a call. `returned` is missing where a cut came first. */
export type RecordedCall = { readonly called: Called; readonly returned: Returned | undefined };

/** The tool calls of a record, to be answered again. */
export class RecordedCalls {
  readonly #byId = new Map<string, RecordedCall>();
  /** In order, each handed out once. */
  #ids: string[];
  #unused: RecordedCall[];

  /** `before`: calls that were open when the stretch started may be answered in it. */
  constructor(before: readonly AgentEvent[], events: readonly AgentEvent[]) {
    const returned = new Map<string, Returned>();
    for (const event of events)
      if (event.kind === 'tool.returned') returned.set(event.payload.call_id, event.payload);
    for (const event of [...before, ...events]) {
      if (event.kind !== 'tool.called') continue;
      const { call_id } = event.payload;
      this.#byId.set(call_id, { called: event.payload, returned: returned.get(call_id) });
    }
    // A call that a person is asked for has its id from then on; others may be written before it is.
    this.#ids = [...new Set(events.flatMap(callIdIn))];
    this.#unused = this.#ids.flatMap((id) => this.#byId.get(id) ?? []);
  }

  /** The id of the next call of the record. */
  nextId(): string | undefined {
    return this.#ids.shift();
  }

  byId(callId: string): RecordedCall | undefined {
    return this.#byId.get(callId);
  }

  /** The first call of this tool with these arguments that was not taken yet, wherever it stands in the record. */
  takeAlike({ tool, args }: Asked): RecordedCall | undefined {
    const text = canonicalJson(args);
    const at = this.#unused.findIndex(
      ({ called, returned }) => returned && called.tool === tool && canonicalJson(called.args) === text,
    );
    return at < 0 ? undefined : this.#unused.splice(at, 1)[0];
  }
}

function callIdIn(event: AgentEvent): string[] {
  if (event.kind === 'tool.called') return [event.payload.call_id];
  const asked = event.kind === 'approval.requested' ? event.payload.call_id : undefined;
  return asked === undefined ? [] : [asked];
}

/** What a recorded call gave; throws the error it gave. */
export function answerOf(returned: Returned): Answered {
  if (!returned.ok && returned.error) throw EdgeError.fromBody(returned.error);
  const result = returned.result ?? {};
  return returned.images ? { result, images: returned.images } : { result };
}

/** Ids of the record, in order; beyond it new ones, the same in every replay. */
export class RecordedIds extends IdSource {
  readonly #calls: RecordedCalls;

  constructor(calls: RecordedCalls, startMs: number) {
    let counter = 0;
    super(
      () => startMs,
      (length) => {
        const bytes = new Uint8Array(length);
        new DataView(bytes.buffer).setUint32(length - 4, ++counter);
        return bytes;
      },
    );
    this.#calls = calls;
  }

  override next<Id extends string>(): Id {
    return (this.#calls.nextId() ?? super.next<string>()) as Id;
  }
}
