import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type PolicyDescription,
  type PolicySession,
} from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';
import { checkObservation } from '../../formats/policy-wire/observation-check.ts';
import { cardBody } from '../../formats/policy-wire/remote-card.ts';
import { isMap, openpiKeys, type WireKeys, type WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { namedActions, observationOf } from '../../formats/policy-wire/wire-observation.ts';
import type { WebSocket } from '../../io/web-socket.ts';

/** Questions that came before the answer to the one before; a client of openpi never has any. */
const AHEAD_MAX = 4;
/** Answers that a client does not take; then it is disconnected. */
const UNREAD_BYTES_MAX = 8 * 1024 * 1024;
/** What is said when something fails; the words came before, as text. */
const INTERNAL_ERROR = 1011;
const TOO_MUCH = 1008;

export type OpenPiClientOptions = {
  readonly keys: WireKeysFile;
  readonly deadlineMs: number;
  readonly clock: Clock;
  onQuestion(): void;
  onFault(error: EdgeError): void;
};

/** One client at our openpi server: metadata first, then an answer to each question, in order. */
export class OpenPiClient {
  readonly #ws: WebSocket;
  readonly #session: PolicySession;
  readonly #options: OpenPiClientOptions;
  readonly #ahead: Buffer[] = [];
  #busy = false;
  /** Its words were said: nothing that it still sends is computed. */
  #over = false;
  /** Pings without an answer; one that is being answered itself is not asked whether it lives. */
  #silent = 0;
  #totalMs: number | undefined;
  #keys: { readonly hash: string; readonly keys: WireKeys } | undefined;

  constructor(ws: WebSocket, session: PolicySession, options: OpenPiClientOptions) {
    this.#ws = ws;
    this.#session = session;
    this.#options = options;
  }

  begin(): void {
    // An error is followed by a close: a frame above the limit, an invalid frame.
    this.#ws.on('error', (error) => this.#options.onFault(refused(error.message)));
    this.#ws.on('pong', () => {
      this.#silent = 0;
    });
    this.#ws.on('message', (data: Buffer, binary: boolean) => this.#heard(data, binary));
    try {
      this.#ws.send(encodeMsgpack(cardBody(this.#session.describe(), this.#options.keys)));
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  ping(): void {
    if (this.#busy) return;
    this.#silent += 1;
    if (this.#silent > 2) this.#ws.terminate();
    else this.#ws.ping();
  }

  #heard(data: Buffer, binary: boolean): void {
    this.#silent = 0;
    if (this.#over) return;
    if (!binary) this.#fail(refused('an observation must be a binary message'));
    else if (this.#ahead.length >= AHEAD_MAX) {
      this.#options.onFault(refused('the client sends requests without waiting for the answers'));
      this.#over = true;
      this.#ahead.length = 0;
      this.#ws.close(TOO_MUCH, 'wait for the answer before you send the next request');
    } else {
      this.#ahead.push(data);
      if (!this.#busy) void this.#work();
    }
  }

  /** What a client sends meanwhile stays in its socket: it costs no memory here. */
  async #work(): Promise<void> {
    this.#busy = true;
    this.#ws.pause();
    for (let data = this.#ahead.shift(); data; data = this.#ahead.shift()) {
      try {
        await this.#answer(data);
      } catch (thrown) {
        this.#ahead.length = 0;
        this.#fail(thrown);
      }
    }
    this.#busy = false;
    this.#ws.resume();
  }

  async #answer(data: Buffer): Promise<void> {
    const { clock, deadlineMs } = this.#options;
    const begin = clock.monotonicMs();
    this.#options.onQuestion();
    const question = decodeMsgpack(data, { numpy: 'openpi' });
    if (!isMap(question)) throw refused('an observation must be a map');
    if (question['endpoint'] === 'reset') {
      await this.#session.reset();
      this.#send({ status: 'reset successful' });
      return;
    }
    const policy = this.#session.describe();
    const keys = this.#keysFor(policy);
    const observation = observationOf(question, policy, keys, clock.now());
    checkObservation(observation, policy);
    const asked = clock.monotonicMs();
    const chunk = await this.#session.infer(observation, deadlineMs);
    this.#send(this.#body(chunk, keys, clock.monotonicMs() - asked));
    this.#totalMs = clock.monotonicMs() - begin;
  }

  #body(chunk: ActionChunk, keys: WireKeys, inferMs: number): Record<string, unknown> {
    return {
      ...namedActions(chunk.actions, keys, []),
      policy_hash: chunk.policyHash,
      step_ms: chunk.stepMs,
      server_timing: {
        infer_ms: inferMs,
        ...(this.#totalMs === undefined ? {} : { prev_total_ms: this.#totalMs }),
      },
    };
  }

  #keysFor(policy: PolicyDescription): WireKeys {
    if (this.#keys?.hash !== policy.hash)
      this.#keys = { hash: policy.hash, keys: openpiKeys(policy, this.#options.keys) };
    return this.#keys.keys;
  }

  #send(body: Record<string, unknown>): void {
    if (this.#ws.bufferedAmount > UNREAD_BYTES_MAX) {
      this.#options.onFault(refused('the client does not read its answers'));
      this.#ws.terminate();
    } else this.#ws.send(encodeMsgpack(body, { numpy: 'openpi' }));
  }

  /** As a stock server does: the words as text, then the end. */
  #fail(thrown: unknown): void {
    const error = EdgeError.from(thrown, 'internal.fault', 'infer', 'openpi');
    this.#over = true;
    this.#options.onFault(error);
    const hint = error.hint === '' ? '' : ` (${error.hint})`;
    this.#ws.send(`${error.code}: ${error.message}${hint}`);
    this.#ws.close(INTERNAL_ERROR, 'Internal server error. The previous frame has the details.');
  }
}

function refused(message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: 'openpi', message });
}
