import { EdgeError, type ErrorCode, type LinkReceipt } from '../contract/index.ts';
import type { Coordinator } from './coordinator.ts';
import { LaneRefusal } from './lane-store.ts';
import type { Answer } from './object-routes.ts';

const STATUS: Partial<Record<ErrorCode, number>> = {
  'schema.invalid': 400,
  'log.tampered': 400,
  'api.unauthorised': 401,
  'api.forbidden': 403,
  'api.not_found': 404,
  'link.refused': 400,
  'link.gap': 409,
  'link.conflict': 409,
  'api.too_large': 413,
  'cell.overloaded': 429,
  'quota.exceeded': 507,
};

/** What a robot is answered, the same over each way. Defects go to `report`. */
export function refusalOf(
  thrown: unknown,
  coordinator: Coordinator,
  report: (message: string, error: unknown) => void,
): Answer {
  if (thrown instanceof LaneRefusal) {
    const watermark: LinkReceipt | null = coordinator.receipt(thrown.held) ?? null;
    return { status: 409, body: JSON.stringify({ ...thrown.error.toBody(), watermark }) };
  }
  if (thrown instanceof EdgeError) {
    return { status: STATUS[thrown.code] ?? 500, body: JSON.stringify(thrown.toBody()) };
  }
  report('request failed', thrown);
  const fault = new EdgeError('internal.fault', {
    operation: 'answer',
    subject: 'request',
    retryable: true,
  });
  return { status: 500, body: JSON.stringify(fault.toBody()) };
}
