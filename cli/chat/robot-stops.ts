import type { Order, Settled, Shown } from './shown.ts';

type Message = Extract<Order, { readonly do: 'message' }>;
type Direct = Extract<Order, { readonly do: 'stop_robot' }>;

/**
 * Orders to stop the robot in words. A session that is open gets them, which leaves it open; all other orders, and what
 * a session did not take, go to the robot itself. Pure.
 */
export class RobotStops {
  readonly #nextId: () => string;
  /** Without an answer yet: what was said, and whether to a session. */
  readonly #open = new Map<string, { readonly words: string; readonly toSession: boolean }>();
  /** Said while the session was being opened: it has to hear it too. */
  #early: string | undefined;

  constructor(nextId: () => string) {
    this.#nextId = nextId;
  }

  get busy(): boolean {
    return this.#open.size > 0;
  }

  toSession(words: string): Message {
    const id = this.#nextId();
    this.#open.set(id, { words, toSession: true });
    return { do: 'message', id, path: 'steer', body: { text: words, message_id: id }, urgent: true };
  }

  /** The door for motion. `opening`: a session is being opened. */
  toRobot(words: string, opening = false): Direct {
    const id = this.#nextId();
    this.#open.set(id, { words, toSession: false });
    if (opening) this.#early = words;
    return { do: 'stop_robot', id, words };
  }

  /** What the session that was just opened has to hear; once. */
  early(): string | undefined {
    const words = this.#early;
    this.#early = undefined;
    return words;
  }

  /** Undefined: that was no order to stop. Says that the robot was ordered, never that it stands. */
  settled(id: string, result: Settled): { readonly again?: Direct; readonly shown: Shown[] } | undefined {
    const order = this.#open.get(id);
    if (!order) return undefined;
    this.#open.delete(id);
    if (result.as === 'done') return { shown: [{ kind: 'note', text: 'the robot was ordered to stop' }] };
    if (order.toSession) return { again: this.toRobot(order.words), shown: [] };
    const text = `the robot was NOT ordered to stop, use auraison estop: ${result.why}`;
    return { shown: [{ kind: 'error', text }] };
  }
}
