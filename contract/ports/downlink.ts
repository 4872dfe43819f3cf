import type { LinkOrders, OrderReport } from '../link-orders.ts';

/**
 * What central asks of this robot. Both calls may be repeated. Reject with `link.unreachable`, `deadline.exceeded`,
 * `api.unauthorised` (try again later) or `link.refused` (central refuses what this robot sent, or its orders
 * are not signed).
 */
export interface Downlink {
  /**
   * Answers at once if there are orders, else when one comes, or after `waitMs`. The signature of each order is
   * checked.
   */
  orders(robot: string, waitMs: number): Promise<LinkOrders>;
  /** Resolves when central holds them. */
  report(robot: string, reports: readonly OrderReport[]): Promise<void>;
  close(): Promise<void>;
}
