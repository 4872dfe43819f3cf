import type { LinkOrders, OrderReport } from '../link-orders.ts';

/**
 * What central asks of this robot. Both calls may be repeated. Reject with `link.unreachable`, `deadline.exceeded`,
 * `api.unauthorised` (try again later) or `link.refused` (central does not take what it was sent, or what it sent
 * is not signed).
 */
export interface Downlink {
  /** Answers at once where there is something to do, else after `waitMs` or when there is. Orders are proven to be central's. */
  orders(robot: string, waitMs: number): Promise<LinkOrders>;
  /** Resolves when central holds them. */
  report(robot: string, reports: readonly OrderReport[]): Promise<void>;
  close(): Promise<void>;
}
