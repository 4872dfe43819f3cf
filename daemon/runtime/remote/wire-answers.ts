import { type EdgeError, RUNTIME_LIMITS, type ToolAnswer } from '../../../contract/index.ts';

/** How a call ended; it no longer changes. */
export type Ended =
  | { readonly ok: true; readonly answer: ToolAnswer }
  | { readonly ok: false; readonly error: EdgeError };

/** Left for the names around what a frame carries, bytes. */
const ENVELOPE_BYTES = 4_096;
const ROOM = RUNTIME_LIMITS.FRAME_BYTES_MAX - ENVELOPE_BYTES;

/** The fields of a `result`; images as far as they fit into one frame. */
export function wireAnswer(ended: Ended): Record<string, unknown> {
  if (!ended.ok) return { ok: false, error: ended.error.toBody() };
  const { result, images = [] } = ended.answer;
  let left = ROOM - Buffer.byteLength(JSON.stringify(result));
  const fitting: { mime: string; base64: string }[] = [];
  for (const { mime, data } of images) {
    const bytes = Math.ceil(data.byteLength / 3) * 4;
    if (bytes > left) break;
    left -= bytes;
    fitting.push({ mime, base64: Buffer.from(data).toString('base64') });
  }
  const out = images.length - fitting.length;
  return {
    ...{ ok: true, result },
    ...(fitting.length > 0 ? { images: fitting } : {}),
    ...(out > 0 ? { images_left_out: out } : {}),
  };
}

export type CallRecord = {
  readonly call: string;
  readonly tool: string;
  readonly args: unknown;
  readonly answer?: Readonly<Record<string, unknown>>;
};

/**
 * As many calls as fit into `bytes`, the newest ones, oldest first: answers are left out first, of the oldest calls, and
 * then these calls themselves.
 */
export function fittingCalls(
  calls: readonly CallRecord[],
  bytes: number,
): { readonly calls: readonly CallRecord[]; readonly leftOut: number } {
  const kept: CallRecord[] = [];
  let left = bytes;
  for (const record of [...calls].reverse()) {
    const bare: CallRecord = { call: record.call, tool: record.tool, args: record.args };
    const choice = [record, bare].find((one) => Buffer.byteLength(JSON.stringify(one)) + 1 <= left);
    if (!choice) break;
    left -= Buffer.byteLength(JSON.stringify(choice)) + 1;
    kept.unshift(choice);
  }
  return { calls: kept, leftOut: calls.length - kept.length };
}
