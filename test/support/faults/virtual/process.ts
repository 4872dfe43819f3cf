import type { Clock, Timer } from '../../../../contract/index.ts';
import type { ManualClock } from '../../../fakes/manual-clock.ts';

/**
 * One process of a trial in virtual time, as the kernel would treat it. While it is frozen nothing of it runs and
 * time goes on: what came meanwhile waits, in order, and periods are not made up for. Once it is killed nothing of it
 * ever runs again.
 */
export class VirtualProcess implements Clock {
  readonly name: string;
  readonly #host: ManualClock;
  #state: 'runs' | 'frozen' | 'dead' = 'runs';
  /** Timers that were due, and messages that came, while it was frozen. */
  #timers: (() => void)[] = [];
  #inbox: (() => void)[] = [];
  readonly #ends: (() => void)[] = [];

  constructor(name: string, host: ManualClock) {
    this.name = name;
    this.#host = host;
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }
  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  now(): bigint {
    return this.#host.now();
  }
  /** The monotonic clock is that of the host: it goes on while a process is frozen. */
  monotonicMs(): number {
    return this.#host.monotonicMs();
  }

  after(ms: number, fire: () => void): Timer {
    let live = true;
    const run = () => {
      if (live) fire();
    };
    const timer = this.#host.after(ms, () => this.#due(run));
    return {
      cancel: () => {
        live = false;
        timer.cancel();
      },
    };
  }

  every(ms: number, fire: () => void): Timer {
    let live = true;
    let waits = false;
    const run = () => {
      waits = false;
      if (live) fire();
    };
    const timer = this.#host.every(ms, () => {
      if (waits) return;
      waits = this.#state === 'frozen';
      this.#due(run);
    });
    return {
      cancel: () => {
        live = false;
        timer.cancel();
      },
    };
  }

  /** A message from another process or thread: never in the turn of its sender. */
  deliver(read: () => void): void {
    if (this.#state === 'dead') return;
    if (this.#state === 'frozen') this.#inbox.push(read);
    else queueMicrotask(() => this.#read(read));
  }

  freeze(): void {
    if (this.#state === 'runs') this.#state = 'frozen';
  }

  /** `mailFirst`: sockets are read before timers, which the event loop may do. */
  thaw(mailFirst = false): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'runs';
    const waiting = mailFirst ? [...this.#inbox, ...this.#timers] : [...this.#timers, ...this.#inbox];
    this.#timers = [];
    this.#inbox = [];
    for (const run of waiting) this.#read(run);
  }

  kill(): void {
    this.#state = 'dead';
    this.#timers = [];
    this.#inbox = [];
    for (const end of this.#ends.splice(0)) end();
  }

  /** What the kernel does when it is killed: others see its connections end. */
  onKill(end: () => void): void {
    this.#ends.push(end);
  }

  #due(run: () => void): void {
    if (this.#state === 'frozen') this.#timers.push(run);
    else if (this.#state === 'runs') run();
  }

  #read(run: () => void): void {
    if (this.#state === 'frozen') this.#inbox.push(run);
    else if (this.#state === 'runs') run();
  }
}
