import {
  type Answer,
  type AnswerPart,
  type Clock,
  EdgeError,
  type KeySpace,
  LIMITS,
  type Query,
  toMs,
} from '../../../contract/core.ts';
import {
  asMap,
  asMillis,
  asText,
  CHAT_SCHEMA,
  encodePayload,
  isJson,
  JSON_ENCODING,
  MSGPACK,
  PLAN_SCHEMA,
  parsePayload,
} from '../../../formats/inference/index.ts';
import { ChunkWriter, completionBody, readChatAsk } from '../../../formats/openai/index.ts';
import { callerName, parameterOf } from './caller-name.ts';
import { SYSTEM2_BYTES_MAX, type System2Door } from './system2-door.ts';
import { inferenceKey } from './vla-queryable.ts';

export type System2Options = {
  /** Of the robot, for example `robot/r1`; empty for none. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly door: System2Door;
};

const PLAN_MS_DEFAULT = 60_000;
const PLAN_MS_MAX = 600_000;
/** Our own deadline comes first: it says more. */
const SPARE_MS = 2_000;

/**
 * Models and plans in the key space: `<prefix>/ai/inference/chat` in the words of the OpenAI API, whose pieces are
 * answers of their own where it is asked to stream, and `<prefix>/ai/inference/plan`. Beside each `schema` and `cancel`.
 */
export class System2Queryables {
  readonly name = 'models and plans';
  readonly #options: System2Options;
  #count = 0;

  constructor(options: System2Options) {
    this.#options = options;
  }

  async attach(keySpace: KeySpace): Promise<void> {
    const { prefix, door } = this.#options;
    const serve = (
      key: string,
      answer: (query: Query, part: AnswerPart) => Promise<Answer>,
      timeoutMs = 5_000,
    ) => keySpace.queryable(key, answer, { complete: true, timeoutMs });
    for (const [what, schema] of [['chat', CHAT_SCHEMA] as const, ['plan', PLAN_SCHEMA] as const]) {
      const key = inferenceKey(prefix, what);
      await serve(`${key}/schema`, async () => encodePayload(schema, true));
      await serve(`${key}/cancel`, async ({ parameters, payload }) => {
        const call = parameterOf(parameters, 'call') ?? new TextDecoder().decode(payload?.subarray(0, 128));
        return encodePayload({ cancelled: door.cancel(call) }, true);
      });
    }
    await serve(inferenceKey(prefix, 'plan'), (query) => this.#plan(query), PLAN_MS_MAX + SPARE_MS);
    await serve(
      inferenceKey(prefix, 'chat'),
      (query, part) => this.#chat(query, part),
      LIMITS.CHAT_DEADLINE_MS_MAX + SPARE_MS,
    );
  }

  async #chat(query: Query, part: AnswerPart): Promise<Answer> {
    const { door, clock } = this.#options;
    const json = wantsJson(query);
    const ask = readChatAsk(bodyOf(query, 'chat'));
    this.#count += 1;
    const id = `${toMs(clock.now())}-${this.#count}`;
    const head = { id, created: Math.floor(toMs(clock.now()) / 1_000), model: ask.model };
    const pieces = ask.stream ? new ChunkWriter(head) : undefined;
    const end = await door.chat({ id: `zenoh/${nameOf(query)}`, call: ask.call }, ask, (delta) => {
      const piece = pieces?.delta(delta);
      if (piece) part(encodePayload(piece, json));
    });
    for (const piece of pieces?.end(end, ask.usage) ?? []) part(encodePayload(piece, json));
    return encodePayload(completionBody(head, end), json);
  }

  async #plan(query: Query): Promise<Answer> {
    const { deadline_ms: given, call, ...ask } = asMap(bodyOf(query, 'plan'), '/');
    const deadlineMs = asMillis(given, '/deadline_ms', PLAN_MS_MAX) ?? PLAN_MS_DEFAULT;
    const asker = { id: `zenoh/${nameOf(query)}`, call: asText(call, '/call', 64) };
    const made = await this.#options.door.plan(asker, ask, deadlineMs);
    return encodePayload(made, wantsJson(query));
  }
}

function nameOf({ parameters, attachment }: Query): string {
  return callerName(parameters, attachment);
}

/** JSON where nothing else is said, as people and most programs write it. */
function wantsJson({ encoding }: Query): boolean {
  return isJson(encoding) || !encoding.startsWith(MSGPACK);
}

function bodyOf(query: Query, what: string): unknown {
  const { payload } = query;
  if (payload === undefined || payload.byteLength === 0) {
    throw new EdgeError('schema.invalid', {
      operation: what,
      subject: '/',
      message: `/: expected a payload; query ${what}/schema for its schema`,
    });
  }
  try {
    return parsePayload(payload, wantsJson(query) ? JSON_ENCODING : MSGPACK, SYSTEM2_BYTES_MAX);
  } catch (thrown) {
    const { subject, message } = EdgeError.from(thrown, 'schema.invalid', what, '/');
    throw new EdgeError('schema.invalid', { operation: what, subject, message });
  }
}
