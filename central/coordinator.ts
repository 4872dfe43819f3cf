import {
  EdgeError,
  type LaneKey,
  LIMITS,
  type LinkReceipt,
  laneKeyChecker,
  linkPushChecker,
} from '../contract/index.ts';
import { checkBatch } from './chain.ts';
import type { Held, LaneStore } from './lane-store.ts';
import type { ReceiptSigner } from './receipt-signer.ts';
import { ANYBODY, type Caller, requireOwn } from './require-own.ts';

const EVENTS_MAX = 1_000;

/** The reference coordinator without HTTP: takes batches, signs receipts, gives events back. */
export class Coordinator {
  readonly #store: LaneStore;
  readonly #signer: ReceiptSigner;

  constructor(store: LaneStore, signer: ReceiptSigner) {
    this.#store = store;
    this.#signer = signer;
  }

  /**
   * Throws `schema.invalid`, `log.tampered`,
   * `api.forbidden`, or LaneRefusal (`link.gap`, `link.conflict`).
   */
  push(body: unknown, by: Caller = ANYBODY): LinkReceipt {
    const batch = linkPushChecker.parse(body, 'push');
    requireOwn(batch.robot, by);
    checkBatch(batch);
    return this.#signer.sign(this.#store.take(batch));
  }

  watermark(query: URLSearchParams, by: Caller = ANYBODY): { watermark: LinkReceipt | null } {
    return { watermark: this.receipt(this.#store.held(laneKey(query, by))) ?? null };
  }

  receipt(held: Held | undefined): LinkReceipt | undefined {
    return held && this.#signer.sign(held);
  }

  key(): ReceiptSigner['key'] {
    return this.#signer.key;
  }

  /** Those that the caller may act for. */
  robots(by: Caller = ANYBODY): { robots: { robot: string; lanes: object[] }[] } {
    const robots = new Map<string, object[]>();
    for (const { robot, ...lane } of this.#store.robots()) {
      if (!by.mayActFor(robot)) continue;
      robots.set(robot, [...(robots.get(robot) ?? []), lane]);
    }
    return { robots: [...robots].map(([robot, lanes]) => ({ robot, lanes })) };
  }

  /** JSON text: the events are stored as the text that was hashed and are given back as such. */
  events(query: URLSearchParams, by: Caller = ANYBODY): string {
    const after = wholeNumber(query, 'after', 0, Number.MAX_SAFE_INTEGER);
    const limit = wholeNumber(query, 'limit', 100, EVENTS_MAX);
    const found = this.#store.events(laneKey(query, by), after, limit, LIMITS.LINK_BATCH_BYTES_MAX);
    return `{"events":[${found.join(',')}]}`;
  }
}

function laneKey(query: URLSearchParams, by: Caller): LaneKey {
  const key = Object.fromEntries(
    ['robot', 'epoch', 'lane'].map((name) => [name, query.get(name) ?? undefined]),
  );
  const found = laneKeyChecker.parse(key, 'query');
  requireOwn(found.robot, by);
  return found;
}

function wholeNumber(query: URLSearchParams, name: string, otherwise: number, maximum: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= maximum) return value;
  throw new EdgeError('schema.invalid', {
    operation: 'read query',
    subject: name,
    message: `/${name}: a whole number from 0 to ${maximum} expected, found ${JSON.stringify(text.slice(0, 80))}`,
  });
}
