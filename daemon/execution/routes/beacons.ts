import { type Declaration, type KeySpace, LIMITS } from '../../../contract/core.ts';
import type { Route } from './route.ts';

const ROOT = '@auraison/route';
const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** A beacon of a full route; a longer one is not read. */
const BEACON_BYTES_MAX = 256 * 1024;

export type BeaconEvents = {
  /** The route of another session says how many samples it put, by key. */
  onCounts(source: string, counts: Readonly<Record<string, number>>): void;
  onToken(source: string, alive: boolean): void;
};

/**
 * What sending routes say about themselves, so that receiving ones notice what does not come: once a second how
 * many samples were put, by key (`@auraison/route/<source>/<route>/beacon`), and a token while they live. Chunks
 * that start with `@` are met by no wildcard: no client hears this by chance.
 */
export class Beacons {
  readonly #own: string;
  readonly #events: BeaconEvents;
  readonly #declared: Declaration[] = [];
  #keySpace: KeySpace | undefined;
  #isListening = false;
  /** What is heard is being declared, or could not be. */
  #isDeaf = false;
  #rebuilding: Promise<void> | undefined;

  /** `own`: what our routes call themselves, in hexadecimal. */
  constructor(own: string, events: BeaconEvents) {
    this.#own = own;
    this.#events = events;
  }

  async attach(keySpace: KeySpace, senders: readonly Route[], listens: boolean): Promise<void> {
    this.#keySpace = keySpace;
    this.#isListening = listens;
    // A further try in the same session: what the one before declared goes first.
    await Promise.all(this.#declared.splice(0).map((one) => one.undeclare().catch(() => {})));
    for (const { spec } of senders)
      this.#declared.push(await keySpace.liveliness(`${ROOT}/${this.#own}/${spec.name}/token`));
    if (listens) await this.#listen(keySpace);
  }

  /**
   * Hears again: the subscription of the beacons may be the one that stopped delivering, and a sender whose end was
   * missed is only distinguished from a silent one by asking which senders exist.
   */
  rebuild(): Promise<void> {
    this.#rebuilding ??= this.#rebuild().finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  async #rebuild(): Promise<void> {
    const keySpace = this.#keySpace;
    if (!keySpace || !this.#isListening) return;
    const old = this.#declared.splice(0).filter((declared) => {
      const isHeard = declared.keyExpr.includes('*');
      if (!isHeard) this.#declared.push(declared);
      return isHeard;
    });
    this.#isDeaf = true;
    for (const declared of old) await declared.undeclare().catch(() => {});
    await this.#listen(keySpace);
  }

  detach(): void {
    this.#keySpace = undefined;
    this.#isDeaf = false;
    this.#declared.length = 0;
  }

  /** Reports what each route has sent. Failures are the session's, which is looked after elsewhere. */
  tell(senders: readonly Route[]): void {
    const keySpace = this.#keySpace;
    if (!keySpace) return;
    if (this.#isDeaf && !this.#rebuilding) this.rebuild().catch(() => {});
    for (const route of senders) {
      const counts: Record<string, number> = {};
      for (const { lane } of route.lanes()) counts[lane.target] = lane.seq;
      const payload = encoder.encode(JSON.stringify(counts));
      keySpace
        .put(`${ROOT}/${this.#own}/${route.spec.name}/beacon`, payload, {
          encoding: 'application/json',
          priority: 'interactive_high',
          congestion: 'drop',
          express: true,
        })
        .catch(() => {});
    }
  }

  async #listen(keySpace: KeySpace): Promise<void> {
    const beacons = await this.#listenBeacons(keySpace);
    const tokens = await this.#listenTokens(keySpace).catch(async (error: unknown) => {
      await beacons.undeclare().catch(() => {});
      throw error;
    });
    this.#isDeaf = false;
    if (this.#keySpace === keySpace) this.#declared.push(beacons, tokens);
  }

  #listenTokens(keySpace: KeySpace): Promise<Declaration> {
    return keySpace.watchLiveliness(`${ROOT}/*/*/token`, (key, alive) => {
      const source = sourceOf(key);
      if (source !== undefined && source !== this.#own) this.#events.onToken(source, alive);
    });
  }

  #listenBeacons(keySpace: KeySpace): Promise<Declaration> {
    return keySpace.subscribe(`${ROOT}/*/*/beacon`, (values) => {
      for (const { key, payload } of values) {
        const source = sourceOf(key);
        const counts = source === undefined || source === this.#own ? undefined : readCounts(payload);
        if (counts) this.#events.onCounts(source!, counts);
      }
    });
  }
}

/** The source is a hexadecimal id, as in the notes. */
function sourceOf(key: string): string | undefined {
  return /^@auraison\/route\/([0-9a-f]{1,64})\/[^/]+\/(?:token|beacon)$/.exec(key)?.[1];
}

/** Any client may publish there too: what is no count is left out. */
function readCounts(payload: Uint8Array): Record<string, number> | undefined {
  if (payload.length > BEACON_BYTES_MAX) return undefined;
  try {
    const read: unknown = JSON.parse(decoder.decode(payload));
    if (typeof read !== 'object' || read === null || Array.isArray(read)) return undefined;
    const counts = Object.entries(read)
      .filter(
        (entry): entry is [string, number] => Number.isSafeInteger(entry[1]) && (entry[1] as number) >= 0,
      )
      .slice(0, LIMITS.ROUTE_TOPICS_MAX);
    return Object.fromEntries(counts);
  } catch {
    return undefined;
  }
}
