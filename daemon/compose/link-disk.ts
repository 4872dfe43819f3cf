import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LogCutter, logPath, openEventReader } from '../../adapters/event-log/index.ts';
import { CUSTODY_FILE, openCustody } from '../../central-link/custody-book.ts';
import { DiskDesk } from '../../central-link/disk-desk.ts';
import { diskIdentity } from '../../central-link/disk-identity.ts';
import { DiskReceiptDesk } from '../../central-link/disk-receipts.ts';
import type { EgressGuard } from '../../central-link/egress-guard.ts';
import type { LinkIdentity } from '../../central-link/link-identity.ts';
import { DataFiles } from '../../central-link/object-files.ts';
import type { CellContext, CellName, EventKind } from '../../contract/core.ts';
import { acknowledgedOf } from '../../history/acknowledged.ts';
import type { Settings } from '../settings.ts';
import { objectLog } from './link-files.ts';

export type DiskParts = {
  readonly settings: Settings;
  readonly context: CellContext;
  readonly identity: LinkIdentity;
  /** PEM: whose receipts count; undefined: nothing says so. */
  readonly publicKey: () => string | undefined;
  readonly guard: EgressGuard | undefined;
};

/** Exports to removable disks: with the identity of this robot, and with or without a way to central over the network. */
export function composeDisk({ settings, context, identity, publicKey, guard }: DiskParts): DiskDesk {
  const { config, dataDir } = settings;
  const { clock, report, emit } = context;
  const robot = config.daemon.name;
  const openReader = (cell: CellName) => openEventReader(dataDir, cell);
  const newest = (cell: CellName, kind: EventKind, field: string, value: string) =>
    LogCutter.newestOf(logPath(dataDir, cell), kind, field, value);
  const receipted = (cell: CellName) => acknowledgedOf({ openReader, newest }, cell);
  const openBook = () => {
    if (config.link.bags === 'none') return undefined;
    const book = openCustody(join(dataDir, CUSTODY_FILE), (message) => report('error', message));
    try {
      const log = objectLog(settings, book);
      try {
        log.follow();
      } finally {
        log.close();
      }
      return book;
    } catch (error) {
      book.close();
      throw error;
    }
  };
  return new DiskDesk({
    ...{ robot, clock, guard, openReader, receipted, openBook },
    identity: () => diskIdentity(identity),
    files: new DataFiles(dataDir),
    taking: new DiskReceiptDesk({ robot, clock, publicKey, openReader, receipted, openBook, emit }),
    newId: () => randomUUID(),
  });
}
