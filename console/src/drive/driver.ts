/**
 * Steers under a lease as long as a person holds something. What is released, a page that is left, and an answer that
 * does not come are a stop: zero is sent at once, and commands count only 300 ms.
 */
import type { Stick } from './hold.ts';

export type DriverState = {
  readonly at: 'idle' | 'taking' | 'ready' | 'moving' | 'lost';
  /** Why, for a person; empty where all is well. */
  readonly reason: string;
};

/** How the driver reaches the robot. Each rejects with a reason for a person. */
export type DriverPorts = {
  take(ttlMs: number): Promise<{ readonly lease_id?: number }>;
  renew(leaseId: number): Promise<unknown>;
  giveBack(leaseId: number): Promise<unknown>;
  command(leaseId: number, twist: { linear: number; angular: number }): Promise<unknown>;
  /** Calls back each `ms` until the returned function is called. */
  every(ms: number, work: () => void): () => void;
  nowMs(): number;
};

/** A command counts for 300 ms, so one may get lost. */
const COMMAND_MS = 100;
const TTL_MS = 1_500;
const RENEW_MS = 500;
/** Without an answer for this long the connection is lost. */
const SILENCE_MS = 1_000;
/** Somebody stopped the robot. The lease stays, and what is held has to be let go. */
const STOPPED = 'robot.preempted';
const STAND = { linear: 0, angular: 0 };

export class Driver {
  readonly #ports: DriverPorts;
  readonly #changed: (state: DriverState) => void;
  readonly #held = new Map<string, Stick>();
  /** What was held when all was released counts again after it was let go. */
  readonly #spent = new Set<string>();
  #state: DriverState = { at: 'idle', reason: '' };
  #lease: number | undefined;
  #turn = 0;
  #quit: (() => void) | undefined;
  #sending = false;
  #renewedMs = 0;
  #answeredMs = 0;
  /** m/s and rad/s of a full stick. */
  speed = 0.2;
  turnSpeed = 0.8;

  constructor(ports: DriverPorts, changed: (state: DriverState) => void) {
    this.#ports = ports;
    this.#changed = changed;
  }

  get state(): DriverState {
    return this.#state;
  }

  /** Takes the lease. It is renewed while the page is shown, and nothing moves by it. */
  async start(): Promise<void> {
    if (this.#lease !== undefined || this.#state.at === 'taking') return;
    const turn = ++this.#turn;
    this.#set('taking');
    try {
      const { lease_id } = await this.#ports.take(TTL_MS);
      if (lease_id === undefined) throw new Error('no lease was given');
      const takenMs = this.#ports.nowMs();
      // Nothing is held: after a stop, also the one by which the lease was taken, the next press is a new one.
      if (turn === this.#turn) await this.#ports.command(lease_id, STAND).catch(() => {});
      if (turn !== this.#turn) {
        // The person left meanwhile.
        await this.#ports.giveBack(lease_id);
        return;
      }
      this.#lease = lease_id;
      this.#renewedMs = takenMs;
      this.#answeredMs = this.#ports.nowMs();
      this.#held.clear();
      this.#spent.clear();
      this.#set('ready');
      this.#quit = this.#ports.every(COMMAND_MS, () => this.#tick());
    } catch (error) {
      if (turn === this.#turn) this.#set('lost', (error as Error).message);
    }
  }

  /** What `source` (keys, a gamepad, the pad) holds now; undefined: it was released. */
  hold(source: string, stick: Stick | undefined): void {
    const before = this.#held.size;
    if (stick === undefined) {
      this.#held.delete(source);
      this.#spent.delete(source);
    } else if (this.#spent.has(source)) return;
    else if (this.#lease !== undefined) this.#held.set(source, stick);
    if (before > 0 && this.#held.size === 0) this.#halt();
    else if (this.#held.size > 0 && before === 0) this.#tick();
  }

  /** Nothing is held any longer: what is still down has to be let go and pressed again. */
  release(): void {
    if (this.#held.size === 0) return;
    for (const source of this.#held.keys()) this.#spent.add(source);
    this.#held.clear();
    this.#halt();
  }

  /** Releases, and gives the lease back. */
  end(reason = ''): void {
    this.release();
    this.#turn++;
    const lease = this.#lease;
    this.#leave();
    this.#set('idle', reason);
    // It expires anyway.
    if (lease !== undefined) this.#ports.giveBack(lease).catch(() => {});
  }

  #tick() {
    const lease = this.#lease;
    if (lease === undefined) return;
    const nowMs = this.#ports.nowMs();
    if (this.#sending && nowMs - this.#answeredMs > SILENCE_MS)
      return this.#lose('the robot does not answer: it stops on its own');
    if (this.#sending) return;
    const twist = this.#twist();
    const renews = nowMs - this.#renewedMs >= RENEW_MS;
    if (!twist && !renews) return;
    if (renews) this.#renewedMs = nowMs;
    this.#sending = true;
    this.#answeredMs = nowMs;
    if (twist) this.#set('moving');
    const work = twist ? this.#ports.command(lease, twist) : Promise.resolve();
    work
      .then(() => (renews ? this.#ports.renew(lease) : undefined))
      .then(
        () => this.#answered(lease, twist !== undefined),
        (error: Error & { code?: string }) => {
          if (this.#lease !== lease) return;
          if (error.code !== STOPPED) return this.#lose(error.message);
          this.#sending = false;
          this.release();
          this.#set('ready', error.message);
        },
      );
  }

  #answered(lease: number, moved: boolean): void {
    if (this.#lease !== lease) return;
    this.#sending = false;
    this.#answeredMs = this.#ports.nowMs();
    // A command that was on its way when all was released may arrive after the zero: another zero follows it.
    if (moved && this.#held.size === 0) this.#zero(lease);
  }

  #twist(): { linear: number; angular: number } | undefined {
    const [stick] = [...this.#held.values()].slice(-1);
    return stick && { linear: stick.forward * this.speed, angular: stick.turn * this.turnSpeed };
  }

  #halt(): void {
    if (this.#lease === undefined) return;
    this.#set('ready');
    this.#zero(this.#lease);
  }

  #zero(lease: number): void {
    // Where this fails the last command expires.
    this.#ports.command(lease, STAND).catch(() => {});
  }

  #lose(reason: string): void {
    const lease = this.#lease;
    this.#held.clear();
    this.#leave();
    this.#set('lost', reason);
    if (lease !== undefined) this.#ports.giveBack(lease).catch(() => {});
  }

  #leave(): void {
    this.#quit?.();
    this.#quit = undefined;
    this.#lease = undefined;
    this.#sending = false;
  }

  #set(at: DriverState['at'], reason = ''): void {
    if (this.#state.at === at && this.#state.reason === reason) return;
    this.#state = { at, reason };
    this.#changed(this.#state);
  }
}
