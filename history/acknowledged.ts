import type { CellName, EventKind, EventReader } from '../contract/index.ts';

export type AcknowledgedParts = {
  openReader(cell: CellName): EventReader;
  /** Sequence of the newest event of this kind whose payload has `value` in `field`; 0: no such event. */
  newest(cell: CellName, kind: EventKind, field: string, value: string): number;
};

/** The last event of the log of a cell that central acknowledged, by the receipts in the log of the link; 0: none. */
export function acknowledgedOf({ openReader, newest }: AcknowledgedParts, cell: CellName): number {
  const seq = newest('link', 'link.receipt', 'lane', `events.${cell}`);
  const [event] = seq === 0 ? [] : readAt(openReader('link'), seq);
  // A receipt for a log that was set aside says nothing of this one.
  const [first] = readAt(openReader(cell), 1);
  const isOurs = event?.kind === 'link.receipt' && event.payload.epoch === first?.event_id;
  return isOurs ? event.payload.seq : 0;
}

function readAt(reader: EventReader, seq: number) {
  try {
    return reader.read(seq - 1, 1);
  } finally {
    reader.close();
  }
}
