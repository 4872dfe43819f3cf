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
 * many samples were put, by key (`@auraison/route/<session>/<route>/beacon`), and a token while they live. Chunks
 * that begin with `@` are met by no wildcard: nobody hears this by chance.
 */
export class Beacons {
  readonly #events: BeaconEvents;
  readonly #declared: Declaration[] = [];
  #keySpace: KeySpace | undefined;
  #isListening = false;

  constructor(events: BeaconEvents) {
    this.#events = events;
  }

  async attach(keySpace: KeySpace, senders: readonly Route[], listens: boolean): Promise<void> {
    this.#keySpace = keySpace;
    this.#isListening = listens;
    for (const { spec } of senders)
      this.#declared.push(await keySpace.liveliness(`${ROOT}/${keySpace.id()}/${spec.name}/token`));
    if (listens) await this.#listen(keySpace);
  }

  /** Hears anew: the subscription of the beacons may be the one that went deaf. */
  async rebuild(): Promise<void> {
    const keySpace = this.#keySpace;
    if (!keySpace || !this.#isListening) return;
    const old = this.#declared.splice(0).filter((declared) => {
      const isHeard = declared.keyExpr.endsWith('/beacon');
      if (!isHeard) this.#declared.push(declared);
      return isHeard;
    });
    for (const declared of old) await declared.undeclare();
    await this.#listenBeacons(keySpace);
  }

  detach(): void {
    this.#keySpace = undefined;
    this.#declared.length = 0;
  }

  /** Tells what each route has sent. Failures are the session's, which is looked after elsewhere. */
  tell(senders: readonly Route[]): void {
    const keySpace = this.#keySpace;
    if (!keySpace) return;
    for (const route of senders) {
      const counts: Record<string, number> = {};
      for (const { lane } of route.lanes()) counts[lane.target] = lane.seq;
      const payload = encoder.encode(JSON.stringify(counts));
      keySpace
        .put(`${ROOT}/${keySpace.id()}/${route.spec.name}/beacon`, payload, {
          encoding: 'application/json',
          priority: 'interactive_high',
          congestion: 'drop',
          express: true,
        })
        .catch(() => {});
    }
  }

  async #listen(keySpace: KeySpace): Promise<void> {
    await this.#listenBeacons(keySpace);
    this.#declared.push(
      await keySpace.watchLiveliness(`${ROOT}/*/*/token`, (key, alive) => {
        const source = sourceOf(key);
        if (source !== undefined && source !== keySpace.id()) this.#events.onToken(source, alive);
      }),
    );
  }

  async #listenBeacons(keySpace: KeySpace): Promise<void> {
    const own = keySpace.id();
    this.#declared.push(
      await keySpace.subscribe(`${ROOT}/*/*/beacon`, (values) => {
        for (const { key, payload } of values) {
          const source = sourceOf(key);
          const counts = source === undefined || source === own ? undefined : readCounts(payload);
          if (counts) this.#events.onCounts(source!, counts);
        }
      }),
    );
  }
}

/** The session is a hexadecimal id; one per route and session, so that two routes of a robot are told apart. */
function sourceOf(key: string): string | undefined {
  return /^@auraison\/route\/([0-9a-f]{1,64})\/[^/]+\/(?:token|beacon)$/.exec(key)?.[1];
}

/** Strangers may publish there too: what is no count is left out. */
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
