import { createHash } from 'node:crypto';
import type { Draft } from './draft.ts';

/**
 * The text that `hashInput` of the contract gives for this event, put together from the payload that is
 * already canonical. Keys in sorted order; held equal to the contract by a property test.
 */
export function draftHashInput(draft: Draft, cell: string, seq: number, prevHash: string): string {
  const run = draft.run_id === undefined ? '' : `"run_id":"${draft.run_id}",`;
  return (
    `${prevHash}\n{"cell":"${cell}","event_id":"${draft.event_id}","kind":"${draft.kind}",` +
    `"payload":${draft.payload},${run}"seq":${seq},"ts":"${draft.ts}"}`
  );
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
