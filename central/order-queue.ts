import {
  type Clock,
  EdgeError,
  IdSource,
  isUuidv7,
  LIMITS,
  type LinkOrders,
  orderPostChecker,
  orderReportsChecker,
  orderText,
  type RandomBytes,
  toMs,
  toWireTime,
} from '../contract/index.ts';
import { SHARED } from './operators.ts';
import type { OrderStore, OrderView } from './order-store.ts';
import type { ReceiptSigner } from './receipt-signer.ts';
import { ANYBODY, type Caller, requireOwn } from './require-own.ts';

const ORDERS_MAX = 32;
const OPEN_MAX = 256;
const ROBOT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Robots that wait for orders at a time; more are answered at once. */
const WAITING_MAX = 256;

/** The queue of orders, without HTTP: takes orders, signs them, delivers them, and takes their results. */
export class OrderQueue {
  readonly #store: OrderStore;
  readonly #signer: ReceiptSigner;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly #waiting = new Set<{ readonly robot: string; wake(): void }>();

  constructor(store: OrderStore, signer: ReceiptSigner, clock: Clock, random: RandomBytes) {
    this.#store = store;
    this.#signer = signer;
    this.#clock = clock;
    this.#ids = new IdSource(() => toMs(clock.now()), random);
  }

  /**
   * `by`: the operator whose token was sent; the order is in this name. Undefined where no token is required. Throws
   * `schema.invalid`, `api.forbidden`, `link.conflict` or `cell.overloaded`. Durable and signed when it returns.
   */
  post(body: unknown, by?: string): OrderView & { readonly duplicate: boolean } {
    const post = orderPostChecker.parse(body, 'order');
    if (by !== undefined && post.posted_by !== undefined && post.posted_by !== by) throw foreignName(by);
    const unsigned = {
      robot: post.robot,
      order_id: post.order_id ?? this.#ids.next<string>(),
      kind: post.kind,
      body: post.kind === 'cancel' ? this.#withRun(post.body) : post.body,
      posted_by: by ?? post.posted_by ?? SHARED,
      posted_ns: toWireTime(this.#clock.now()),
    };
    if (JSON.stringify(post.body).length > LIMITS.INTENT_PARAMS_BYTES_MAX + 16 * 1024)
      throw invalid('/body: above the limit of an intent');
    const isNew = this.#store.post({ ...unsigned, signature: this.#signer.signText(orderText(unsigned)) });
    for (const one of this.#waiting) if (one.robot === post.robot) one.wake();
    return { ...this.#store.find(unsigned.order_id)!, duplicate: !isNew };
  }

  /** Orders for a robot; waits for one, up to `wait_ms`. */
  async orders(query: URLSearchParams, by: Caller = ANYBODY): Promise<LinkOrders> {
    const robot = robotOf(query);
    requireOwn(robot, by);
    const isSecond = number(query, 'v', 1, 99) >= 2;
    const waitMs = number(query, 'wait_ms', 0, LIMITS.LINK_ORDERS_WAIT_MS);
    const found = this.#found(robot, isSecond);
    if (found.orders.length > 0 || waitMs === 0 || this.#waiting.size >= WAITING_MAX) return found;
    await new Promise<void>((resolve) => {
      const wake = () => {
        timer.cancel();
        this.#waiting.delete(waiter);
        resolve();
      };
      const waiter = { robot, wake };
      const timer = this.#clock.after(waitMs, wake);
      this.#waiting.add(waiter);
    });
    return this.#found(robot, isSecond);
  }

  report(body: unknown, by: Caller = ANYBODY): { taken: number } {
    const { robot, reports } = orderReportsChecker.parse(body, 'reports');
    requireOwn(robot, by);
    return { taken: this.#store.report(robot, reports) };
  }

  list(query: URLSearchParams): { orders: OrderView[] } {
    const id = query.get('order_id');
    if (id !== null) {
      const found = isUuidv7(id) ? this.#store.find(id) : undefined;
      if (found) return { orders: [found] };
      throw new EdgeError('api.not_found', {
        operation: 'find order',
        subject: id.slice(0, 128),
        message: 'no such order',
      });
    }
    const robot = query.has('robot') ? robotOf(query) : undefined;
    return { orders: this.#store.list(robot, number(query, 'limit', 100, 1_000)) };
  }

  /** Answers all waiting robots. */
  close(): void {
    for (const one of [...this.#waiting]) one.wake();
  }

  /** A robot of version 1 knows no order of a later version, and would take none of an answer that has one. */
  #found(robot: string, isSecond: boolean): LinkOrders {
    const orders = this.#store.queued(robot, ORDERS_MAX, LIMITS.LINK_ORDERS_BYTES_MAX / 4, isSecond);
    return {
      orders,
      open: this.#store.open(robot, OPEN_MAX),
    };
  }

  /** A robot finds the run of an order by it at any time. */
  #withRun(body: Record<string, unknown>): Record<string, unknown> {
    const target = body['order_id'];
    const run_id = isUuidv7(target) ? this.#store.find(target)?.run_id : undefined;
    return run_id === undefined || body['run_id'] !== undefined ? body : { ...body, run_id };
  }
}

function robotOf(query: URLSearchParams): string {
  const robot = query.get('robot') ?? '';
  if (ROBOT.test(robot)) return robot;
  throw invalid('/robot: the name of a robot expected');
}

function number(query: URLSearchParams, name: string, otherwise: number, maximum: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  if (value >= 0) return Math.min(value, maximum);
  throw invalid(`/${name}: a whole number expected`);
}

function foreignName(by: string): EdgeError {
  return new EdgeError('api.forbidden', {
    operation: 'post order',
    subject: 'posted_by',
    message: `/posted_by: the token is that of ${by}`,
    hint: "give people tokens of their own: a file with their name in the folder operators of the coordinator's data directory",
  });
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'read order', subject: 'order', message });
}
