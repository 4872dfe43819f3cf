import { createRequire } from 'node:module';

export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

const NAME = '@cedar-policy/cedar-wasm/nodejs';

/**
 * Cedar, as WebAssembly. After a trap its memory is not usable: every later call would fail. So a trap replaces the
 * instance, and everybody who kept a parsed set in it parses that again (`generation`).
 */
export class CedarEngine {
  readonly #open: () => Cedar;
  #cedar: Cedar;
  #generation = 1;

  /** `open` gives a new instance each time. */
  constructor(open: () => Cedar) {
    this.#open = open;
    this.#cedar = open();
  }

  /** Changes with each new instance, which holds no parsed set. */
  get generation(): number {
    return this.#generation;
  }

  /** Throws what `work` throws. Unless Cedar threw that on purpose, the instance is replaced before. */
  call<T>(work: (cedar: Cedar) => T): T {
    try {
      return work(this.#cedar);
    } catch (thrown) {
      if (isTrap(thrown)) {
        this.#cedar = this.#open();
        this.#generation++;
      }
      throw thrown;
    }
  }
}

/** Cedar rejects a call with a plain `Error`; a fault of WebAssembly and of the stack has another name. */
function isTrap(thrown: unknown): boolean {
  return !(thrown instanceof Error) || !['Error', 'EdgeError'].includes(thrown.name);
}

let shared: CedarEngine | undefined;

/** Loaded on first use only: 0.2 s and 17 MB that a robot without policies of its own need not spend. */
export async function loadCedar(): Promise<CedarEngine> {
  return loadCedarNow();
}

/** The same for packages, which are read in one go. Blocks as long as it takes. */
export function loadCedarNow(): CedarEngine {
  shared ??= new CedarEngine(newInstance);
  return shared;
}

function newInstance(): Cedar {
  const load = createRequire(import.meta.url);
  // The module has one instance, made when it is loaded.
  delete load.cache[load.resolve(NAME)];
  return load(NAME) as Cedar;
}
