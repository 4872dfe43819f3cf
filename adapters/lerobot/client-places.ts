import type { Clock, PolicyDesk } from '../../contract/core.ts';
import type { PolicySetup } from './messages.ts';
import { RobotSession, type SessionOptions } from './robot-session.ts';

/** What a client was instructed is remembered for this long after its connection was cut, milliseconds. */
const ORPHAN_MS = 60_000;
const ORPHANS_MAX = 64;

type Orphan = { readonly host: string; readonly setup: PolicySetup; readonly until: number };

/**
 * A place per connection. A stock client says what it wants once, when it starts, and its channel reconnects
 * automatically: a new connection that starts in the middle continues with what the lost one, from the same host, was
 * instructed. It gets a session of its own; no observation and no action passes from one to the other.
 */
export class ClientPlaces {
  readonly #desk: PolicyDesk;
  readonly #clock: Clock;
  readonly #principal: string;
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, RobotSession>();
  #orphans: Orphan[] = [];

  constructor(desk: PolicyDesk, clock: Clock, principal: string, options: SessionOptions) {
    this.#desk = desk;
    this.#clock = clock;
    this.#principal = principal;
    this.#options = options;
  }

  has(peer: string): boolean {
    return this.#sessions.has(peer);
  }

  at(peer: string): RobotSession {
    const known = this.#sessions.get(peer);
    if (known) return known;
    const caller = { id: `lerobot/${peer}`, wire: 'lerobot' as const, principal: this.#principal };
    const session = new RobotSession(this.#desk, caller, this.#options);
    this.#sessions.set(peer, session);
    return session;
  }

  /** For a call in the middle: with the setup of the connection before it, where exactly one was cut. */
  going(peer: string): RobotSession {
    const session = this.at(peer);
    if (session.setup) return session;
    this.#forget();
    const mine = this.#orphans.filter(({ host }) => host === hostOf(peer));
    const [orphan] = mine;
    if (!orphan || new Set(mine.map(({ setup }) => keyOf(setup))).size !== 1) return session;
    this.#orphans = this.#orphans.filter((one) => one !== orphan);
    session.resume(orphan.setup);
    return session;
  }

  /** The connection is cut. */
  async leave(peer: string): Promise<void> {
    const session = this.#sessions.get(peer);
    this.#sessions.delete(peer);
    const setup = session?.setup;
    this.#forget();
    if (setup)
      this.#orphans.push({ host: hostOf(peer), setup, until: this.#clock.monotonicMs() + ORPHAN_MS });
    if (this.#orphans.length > ORPHANS_MAX) this.#orphans.shift();
    await session?.close();
  }

  async close(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map((session) => session.close()));
  }

  #forget(): void {
    const now = this.#clock.monotonicMs();
    this.#orphans = this.#orphans.filter(({ until }) => until > now);
  }
}

function hostOf(peer: string): string {
  return peer.slice(0, peer.lastIndexOf(':'));
}

/** Two with the same key are interchangeable. */
function keyOf({ pretrained, features, actionsPerChunk, renames, module }: PolicySetup): string {
  return JSON.stringify([pretrained, [...features], actionsPerChunk, [...renames], module]);
}
