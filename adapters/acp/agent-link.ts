import type { AnyMessage, Stream } from '@agentclientprotocol/sdk';
import { ACP_LIMITS, type Clock, EdgeError, parseJson } from '../../contract/core.ts';

/** Who takes the updates of a session; their form is not checked. */
export type Updates = { take(params: { readonly sessionId?: unknown; readonly update?: unknown }): void };

/** A connection to one agent. It is over when `ended` settles, with the cause; it never rejects. */
export type AgentLink = {
  readonly stream: Stream;
  readonly updates: Updates;
  readonly ended: Promise<EdgeError>;
  /** Ends the agent; settles when nothing of it is left. */
  close(): Promise<void>;
};

export type GuardParts = {
  readonly clock: Clock;
  /** The agent as errors name it. */
  readonly name: string;
  /** Writes one message to the agent; may throw. */
  readonly write: (text: string) => void;
  /** The agent broke the protocol for good. */
  readonly broken: (error: EdgeError) => void;
};

/**
 * Stands between the output of an agent and the library of the protocol: counts messages, bytes and garbage, drops
 * answers that belong to no question, and refuses too many questions at once. Updates pass by the library: it prints a
 * line for each that it does not know. So a hostile agent fills no memory, no log and no queue.
 */
export class AgentGuard {
  readonly #parts: GuardParts;
  readonly stream: Stream;
  readonly updates: Updates = { take: () => {} };
  #controller: ReadableStreamDefaultController<AnyMessage> | undefined;
  /** Ids of requests to the agent that are not answered. */
  readonly #asked = new Set<unknown>();
  /** Ids of requests of the agent that are not answered. */
  readonly #questions = new Set<unknown>();
  #since: number;
  #messages = 0;
  #bytes = 0;
  #garbage = 0;
  #over = false;

  constructor(parts: GuardParts) {
    this.#parts = parts;
    this.#since = parts.clock.monotonicMs();
    this.stream = {
      readable: new ReadableStream<AnyMessage>({
        start: (controller) => {
          this.#controller = controller;
        },
      }),
      writable: new WritableStream<AnyMessage>({ write: (message) => this.#send(message) }),
    };
  }

  /** Takes one line of the agent. */
  take(line: Buffer): void {
    if (this.#over) return;
    const message = parsed(line);
    if (this.#floods(line.length)) this.#break('it sends too much within a second');
    else if (!message) this.#onGarbage('its output is not JSON-RPC');
    else if (message.method === undefined && !this.#asked.delete(message.id))
      this.#onGarbage('it answers what was not asked');
    else if (message.method === 'session/update' && message.id === undefined)
      this.updates.take(message.params ?? {});
    else if (message.method === undefined || this.#passes(message))
      this.#controller?.enqueue(message as unknown as AnyMessage);
  }

  /** The agent is gone: what the library waits for is rejected. */
  end(error: EdgeError): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.error(error);
  }

  #send(message: AnyMessage): void {
    const { id, method } = message as { readonly id?: unknown; readonly method?: string };
    if (method !== undefined && id !== undefined) this.#asked.add(id);
    if (method === undefined) this.#questions.delete(id);
    this.#parts.write(JSON.stringify(message));
  }

  /** Of notifications the library gets the one that it knows and that has an effect. */
  #passes({ id, method }: Message): boolean {
    return id === undefined ? method === '$/cancel_request' : this.#admits(id);
  }

  #admits(id: unknown): boolean {
    if (this.#questions.has(id)) {
      this.#onGarbage('it asks twice under one id');
      return false;
    }
    if (this.#questions.size >= ACP_LIMITS.QUESTIONS_MAX) {
      const error = {
        code: -32000,
        message: `${this.#questions.size} questions are open: wait for an answer`,
      };
      this.#onGarbage('it asks too much at once');
      if (!this.#over) this.#parts.write(JSON.stringify({ jsonrpc: '2.0', id, error }));
      return false;
    }
    this.#questions.add(id);
    return true;
  }

  #floods(bytes: number): boolean {
    const now = this.#parts.clock.monotonicMs();
    if (now - this.#since >= 1_000) {
      this.#since = now;
      this.#messages = 0;
      this.#bytes = 0;
    }
    this.#messages++;
    this.#bytes += bytes;
    return this.#messages > ACP_LIMITS.FLOOD_MESSAGES || this.#bytes > ACP_LIMITS.FLOOD_BYTES;
  }

  #onGarbage(what: string): void {
    if (++this.#garbage > ACP_LIMITS.GARBAGE_MAX) this.#break(`${what}, ${this.#garbage} times`);
  }

  #break(what: string): void {
    const error = agentError('runtime.refused', this.#parts.name, what);
    this.end(error);
    this.#parts.broken(error);
  }
}

/** An error whose message names the agent. */
export function agentError(
  code: 'runtime.refused' | 'runtime.lost' | 'deadline.exceeded',
  name: string,
  what: string,
  hint = '',
): EdgeError {
  return new EdgeError(code, {
    ...{ operation: 'run agent', subject: name, message: `the agent ${name}: ${what}` },
    ...(hint === '' ? {} : { hint }),
  });
}

type Message = { readonly id?: unknown; readonly method?: unknown; readonly params?: object | null };

function parsed(line: Buffer): Message | undefined {
  try {
    const value: unknown = parseJson(line.toString());
    const record = typeof value === 'object' && value !== null && !Array.isArray(value);
    return record && (value as { jsonrpc?: unknown }).jsonrpc === '2.0' ? value : undefined;
  } catch {
    return undefined;
  }
}
