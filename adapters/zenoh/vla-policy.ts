import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  type KeySpace,
  type Observation,
  type Policy,
  type PolicyDescription,
  type Reply,
} from '../../contract/core.ts';
import {
  decodeChunk,
  decodeDescription,
  encodeVlaRequest,
  isJson,
  JSON_ENCODING,
  MSGPACK,
} from '../../formats/inference/index.ts';

export type VlaPolicyOptions = {
  /** The session now; undefined without one. */
  readonly keySpace: () => KeySpace | undefined;
  /** Key of the queryable, for example `robot/gpu-1/ai/inference/vla`. */
  readonly key: string;
  /** One of the policies there; undefined: its default. */
  readonly policy: string | undefined;
  /** Name of this caller: fairness there is among names. */
  readonly caller: string;
  readonly clock: Clock;
  /** One answer about what it is, milliseconds. */
  readonly timeoutMs: number;
};

/**
 * The other side gets a little less time than remains here, so that its error arrives in time. Milliseconds, and a
 * share.
 */
const ANSWER_MS = 20;
const ANSWER_SHARE = 0.1;
/** Sessions of one process; beyond it names repeat, and no process has so many at a time. */
let sessions = 0;

/**
 * A policy on another node of the key space that serves `ai/inference/vla`. What it takes is asked at
 * `connect`; a network that changes there is another policy: its actions are refused until it is asked again.
 */
export class ZenohVlaPolicy implements Policy {
  readonly #options: VlaPolicyOptions;
  readonly #selector: string;
  readonly #session: string | undefined;
  #description: PolicyDescription;
  #fresh = true;
  #closed = false;
  /** Present if the policy there has memory. */
  readonly reset?: () => Promise<void>;

  private constructor(options: VlaPolicyOptions, selector: string, description: PolicyDescription) {
    this.#options = options;
    this.#selector = selector;
    this.#description = description;
    if (!description.remembers) return;
    sessions += 1;
    this.#session = `${options.keySpace()?.id().slice(0, 32) ?? 's'}-${sessions}`;
    this.reset = async () => {
      this.#fresh = true;
    };
  }

  /** Throws `model.unavailable` while no server answers there, and the refusals of the other side. */
  static async connect(options: VlaPolicyOptions): Promise<ZenohVlaPolicy> {
    const { key, policy, caller, timeoutMs } = options;
    const selector = `${key}?caller=${caller}${policy === undefined ? '' : `;policy=${policy}`}`;
    const replies = await sessionOf(options).query(selector, {
      encoding: JSON_ENCODING,
      timeoutMs,
      target: 'best_matching',
    });
    const { payload, encoding } = answerOf(replies, key);
    return new ZenohVlaPolicy(options, selector, decodeDescription(payload, encodingOf(encoding)));
  }

  describe(): PolicyDescription {
    return this.#description;
  }

  async infer(
    observation: Observation,
    deadlineMs: number,
    options: InferOptions = {},
  ): Promise<ActionChunk> {
    const { key } = this.#options;
    if (this.#closed) throw unavailable(key, 'the policy is closed');
    const { signal, prefix } = options;
    const reset = this.#session !== undefined && this.#fresh;
    const { payload, encoding } = encodeVlaRequest(
      {
        observation,
        deadlineMs: deadlineMs - Math.min(ANSWER_MS, deadlineMs * ANSWER_SHARE),
        reset,
        prefix,
        session: this.#session,
        policy: undefined,
        call: undefined,
      },
      false,
    );
    this.#fresh = false;
    const asked = firstAnswer(sessionOf(this.#options), this.#selector, {
      payload,
      encoding,
      timeoutMs: deadlineMs,
      target: 'best_matching',
    });
    try {
      const value = answerOf(await orAborted(asked, signal, key), key);
      const chunk = decodeChunk(value.payload, encodingOf(value.encoding));
      this.#check(chunk);
      return chunk;
    } catch (thrown) {
      // Whether the other side started the episode is not known: it starts with the next question.
      if (reset) this.#fresh = true;
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #check({ policyHash, actions }: ActionChunk): void {
    const { hash, output } = this.#description;
    const { key } = this.#options;
    if (policyHash !== hash)
      throw failed(key, `a different network answers now: ${policyHash.slice(0, 64)}; before it was ${hash}`);
    if (actions.shape[1] !== output[1])
      throw failed(
        key,
        `the actions have ${actions.shape[1]} numbers, but the description declares ${output[1]}`,
      );
  }
}

function sessionOf({ keySpace, key }: VlaPolicyOptions): KeySpace {
  const session = keySpace();
  if (session) return session;
  throw unavailable(key, 'no Zenoh session is open');
}

/** The answer: of several nodes at this key the first that has one. */
function answerOf(replies: readonly Reply[], key: string): { payload: Uint8Array; encoding: string } {
  const good = replies.find((reply) => reply.ok);
  if (good?.ok) return good.value;
  const [refused] = replies;
  if (refused && !refused.ok) throw EdgeError.fromBody(refused.error);
  throw unavailable(key, 'no queryable answers at this key');
}

/** Missing fields are as requested. */
function encodingOf(encoding: string): string {
  return isJson(encoding) ? encoding : MSGPACK;
}

/**
 * Settles with the first answer; who answered says that it was all in a message of its own, which is not waited for.
 */
function firstAnswer(
  space: KeySpace,
  selector: string,
  options: Parameters<KeySpace['query']>[1],
): Promise<readonly Reply[]> {
  return new Promise((resolve, reject) => {
    const onReply = (reply: Reply) => reply.ok && resolve([reply]);
    space.query(selector, { ...options, onReply }).then(resolve, reject);
  });
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, key: string): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const cancelled = () =>
      reject(
        new EdgeError('run.cancelled', {
          operation: 'infer',
          subject: key,
          message: 'the request was cancelled',
        }),
      );
    if (signal.aborted) cancelled();
    signal.addEventListener('abort', cancelled, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancelled));
  });
}

function unavailable(subject: string, message: string): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'infer',
    subject,
    message: `${subject}: ${message}`,
  });
}

function failed(subject: string, message: string): EdgeError {
  return new EdgeError('model.failed', { operation: 'infer', subject, message: `${subject}: ${message}` });
}
