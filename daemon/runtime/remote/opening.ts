import {
  type Clock,
  EdgeError,
  fromRuntimeChecker,
  parseJson,
  RUNTIME_CLOSE,
  RUNTIME_LIMITS,
  RUNTIME_VERSION,
  type RuntimeHello,
  type RuntimeLink,
  runtimeHelloChecker,
} from '../../../contract/index.ts';
import { Misbehaved, type RuntimeSession } from './runtime-session.ts';

export type OpeningParts = {
  readonly name: string;
  readonly clock: Clock;
  /** Answers a `hello` that fits and gives the session that the connection belongs to. */
  readonly admit: (hello: RuntimeHello, link: RuntimeLink) => RuntimeSession;
  /** The connection was closed for this. */
  readonly refused: (error: EdgeError) => void;
};

/** Reads what a connection brings: first its `hello`, then messages of its session. Closes what misbehaves. */
export function openConnection(link: RuntimeLink, { name, clock, admit, refused }: OpeningParts): void {
  let session: RuntimeSession | undefined;
  let closed = false;
  const flood = new FloodWatch(clock, name);
  const refuse = (thrown: unknown) => {
    if (closed) return;
    closed = true;
    const error = EdgeError.from(thrown, 'internal.fault', 'receive', name);
    refused(error);
    link.send(JSON.stringify({ type: 'error', error: error.toBody() }));
    const code = error instanceof Misbehaved ? error.close : RUNTIME_CLOSE.malformed;
    // A runtime that breaks the contract does not continue with what it broke.
    if (session) session.end(code, error.message);
    else link.close(code, error.message.slice(0, 100));
  };
  const late = clock.after(RUNTIME_LIMITS.HELLO_MS, () => {
    if (!session) refuse(new Misbehaved(name, 'no hello came', RUNTIME_CLOSE.silent));
  });
  link.onClose(() => {
    closed = true;
    late.cancel();
  });
  link.onText((text) => {
    if (closed) return;
    try {
      const bytes = Buffer.byteLength(text);
      flood.count(bytes);
      const message = parsed(text, bytes, name);
      if (session) return session.take(checked(message, name), bytes);
      late.cancel();
      session = admit(greeting(message, name), link);
    } catch (thrown) {
      refuse(thrown);
    }
  });
}

function parsed(text: string, bytes: number, name: string): unknown {
  if (bytes > RUNTIME_LIMITS.FRAME_BYTES_MAX)
    throw new Misbehaved(name, `a frame of ${bytes} bytes`, RUNTIME_CLOSE.tooLarge);
  try {
    return parseJson(text);
  } catch {
    throw new Misbehaved(name, 'a frame that is not JSON');
  }
}

function checked(message: unknown, name: string) {
  const fault = fromRuntimeChecker.fault(message);
  if (fault !== undefined) throw new Misbehaved(name, fault);
  return message as { readonly type: string };
}

function greeting(message: unknown, name: string): RuntimeHello {
  const fault = runtimeHelloChecker.fault(message);
  if (fault !== undefined) throw new Misbehaved(name, `hello: ${fault}`);
  const hello = message as RuntimeHello;
  if (!hello.versions.includes(RUNTIME_VERSION))
    throw new Misbehaved(
      name,
      `it knows version ${hello.versions.join(', ')} of the contract, and this daemon ${RUNTIME_VERSION}`,
      RUNTIME_CLOSE.version,
    );
  return hello;
}

/** Messages and bytes within a second. */
class FloodWatch {
  readonly #clock: Clock;
  readonly #name: string;
  #since: number;
  #messages = 0;
  #bytes = 0;

  constructor(clock: Clock, name: string) {
    this.#clock = clock;
    this.#name = name;
    this.#since = clock.monotonicMs();
  }

  /** Throws `Misbehaved`. */
  count(bytes: number): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#since >= 1_000) {
      this.#since = now;
      this.#messages = 0;
      this.#bytes = 0;
    }
    this.#messages++;
    this.#bytes += bytes;
    if (this.#messages > RUNTIME_LIMITS.FLOOD_MESSAGES || this.#bytes > RUNTIME_LIMITS.FLOOD_BYTES)
      throw new Misbehaved(this.#name, 'too much within a second', RUNTIME_CLOSE.flood);
  }
}
