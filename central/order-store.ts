import { DatabaseSync } from 'node:sqlite';
import {
  canonicalJson,
  EdgeError,
  LIMITS,
  type LinkOrder,
  type OrderReport,
  parseJson,
} from '../contract/index.ts';

export type OrderState = 'queued' | 'accepted' | 'refused' | 'finished';
/** An order as shown to people. */
export type OrderView = Omit<LinkOrder, 'signature'> & {
  readonly state: OrderState;
  readonly run_id?: string;
  /** What the robot said last. */
  readonly report?: OrderReport;
};

type Row = {
  order_id: string;
  robot: string;
  kind: LinkOrder['kind'];
  body: string;
  posted_by: string;
  posted_ns: string;
  signature: string;
  state: OrderState;
  run_id: string | null;
  report: string | null;
};

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS link_order (
    place INTEGER PRIMARY KEY, order_id TEXT NOT NULL UNIQUE, robot TEXT NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL, posted_by TEXT NOT NULL, posted_ns TEXT NOT NULL, signature TEXT NOT NULL,
    state TEXT NOT NULL, run_id TEXT, report TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS link_order_unsettled ON link_order (robot, state, place);
`;
const COLUMNS = 'order_id, robot, kind, body, posted_by, posted_ns, signature, state, run_id, report';

/** Which state may follow which; a repeated or late report changes nothing. */
const NEXT: Readonly<Record<OrderState, readonly OrderState[]>> = {
  queued: ['accepted', 'refused', 'finished'],
  accepted: ['finished'],
  refused: [],
  finished: [],
};

/** The orders of all robots in one SQLite file, synced before anything is answered. */
export class OrderStore {
  readonly #db: DatabaseSync;

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    this.#db.exec(SCHEMA);
  }

  /** True when it is new. Throws `link.conflict` (the id is another order's) or `cell.overloaded`. */
  post(order: LinkOrder): boolean {
    const held = this.#row(order.order_id);
    if (held) {
      const same =
        held.robot === order.robot && held.kind === order.kind && held.body === canonicalJson(order.body);
      if (same) return false;
      throw refusal('link.conflict', order.order_id, 'another order has this id');
    }
    const { waiting } = this.#db
      .prepare("SELECT count(*) AS waiting FROM link_order WHERE robot = ? AND state = 'queued'")
      .get(order.robot) as { waiting: number };
    if (waiting >= LIMITS.LINK_ORDERS_QUEUED_MAX)
      throw refusal('cell.overloaded', order.robot, `${waiting} orders wait for this robot`);
    this.#db
      .prepare(`INSERT INTO link_order (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', NULL, NULL)`)
      .run(
        ...[order.order_id, order.robot, order.kind, canonicalJson(order.body)],
        ...[order.posted_by, order.posted_ns, order.signature],
      );
    return true;
  }

  /** Not settled by the robot, the oldest first: at most `limit`, and past the first at most `bytesMax`. */
  queued(robot: string, limit: number, bytesMax: number, withFetch = true): LinkOrder[] {
    const orders: LinkOrder[] = [];
    let bytes = 0;
    const rows = this.#db.prepare(
      `SELECT ${COLUMNS} FROM link_order WHERE robot = ? AND state = 'queued'
          ${withFetch ? '' : "AND kind <> 'fetch'"} ORDER BY place LIMIT ?`,
    );
    for (const row of rows.iterate(robot, limit)) {
      const { body, signature, ...found } = row as unknown as Row;
      bytes += body.length;
      if (orders.length > 0 && bytes > bytesMax) break;
      const { order_id, kind, posted_by, posted_ns } = found;
      orders.push({
        robot,
        order_id,
        kind,
        body: parseJson(body) as LinkOrder['body'],
        posted_by,
        posted_ns,
        signature,
      });
    }
    return orders;
  }

  /** Accepted, and their end was not reported yet. */
  open(robot: string, limit: number): { order_id: string; run_id: string }[] {
    const rows = this.#db
      .prepare(
        "SELECT order_id, run_id FROM link_order WHERE robot = ? AND state = 'accepted' AND run_id IS NOT NULL ORDER BY place LIMIT ?",
      )
      .all(robot, limit);
    return rows.map((row) => ({ order_id: String(row['order_id']), run_id: String(row['run_id']) }));
  }

  /** In one transaction. Returns how many were this robot's, including repeated ones. */
  report(robot: string, reports: readonly OrderReport[]): number {
    let taken = 0;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const report of reports) {
        const row = this.#row(report.order_id);
        if (!row || row.robot !== robot) continue;
        taken += 1;
        if (!NEXT[row.state].includes(report.state)) continue;
        this.#db
          .prepare(
            'UPDATE link_order SET state = ?, run_id = coalesce(?, run_id), report = ? WHERE order_id = ?',
          )
          .run(report.state, report.run_id ?? null, canonicalJson(report), report.order_id);
      }
      this.#db.exec('COMMIT');
      return taken;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  find(orderId: string): OrderView | undefined {
    const row = this.#row(orderId);
    return row && viewOf(row);
  }

  /** The newest first. */
  list(robot: string | undefined, limit: number): OrderView[] {
    const rows =
      robot === undefined
        ? this.#db.prepare(`SELECT ${COLUMNS} FROM link_order ORDER BY place DESC LIMIT ?`).all(limit)
        : this.#db
            .prepare(`SELECT ${COLUMNS} FROM link_order WHERE robot = ? ORDER BY place DESC LIMIT ?`)
            .all(robot, limit);
    return (rows as unknown as Row[]).map(viewOf);
  }

  close(): void {
    this.#db.close();
  }

  #row(orderId: string): Row | undefined {
    return this.#db.prepare(`SELECT ${COLUMNS} FROM link_order WHERE order_id = ?`).get(orderId) as
      | Row
      | undefined;
  }
}

function viewOf({
  order_id,
  robot,
  kind,
  body,
  posted_by,
  posted_ns,
  state,
  run_id,
  report,
}: Row): OrderView {
  return {
    ...{ order_id, robot, kind, body: parseJson(body) as LinkOrder['body'], posted_by, posted_ns, state },
    ...(run_id === null ? {} : { run_id }),
    ...(report === null ? {} : { report: parseJson(report) as OrderReport }),
  };
}

function refusal(code: 'link.conflict' | 'cell.overloaded', subject: string, message: string): EdgeError {
  return new EdgeError(code, { operation: 'post order', subject, message });
}
