import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { bagRanges } from '../../central-link/bag-ranges.ts';
import { CUSTODY_FILE, type CustodyBook, openCustody } from '../../central-link/custody-book.ts';
import type { EgressGuard } from '../../central-link/egress-guard.ts';
import { FetchDesk } from '../../central-link/fetch-desk.ts';
import { FileLanes } from '../../central-link/file-lanes.ts';
import { GuardedObjects } from '../../central-link/guarded-central.ts';
import type { HttpCentralOptions } from '../../central-link/http-central.ts';
import { HttpObjects } from '../../central-link/http-objects.ts';
import { LineBudget } from '../../central-link/line-budget.ts';
import { NetworkProbe } from '../../central-link/network-probe.ts';
import { DataFiles } from '../../central-link/object-files.ts';
import { ObjectLog } from '../../central-link/object-log.ts';
import { ObjectSender } from '../../central-link/object-sender.ts';
import { type CellContext, toMs } from '../../contract/core.ts';
import type { Settings } from '../settings.ts';
import { RING_BAG } from './recording.ts';

export type LinkFilesParts = {
  readonly settings: Settings;
  readonly context: CellContext;
  readonly options: HttpCentralOptions;
  readonly guard: EgressGuard | undefined;
  readonly random: () => number;
};

/** The lanes of files, with all that is around their sender. Throws where there can be no book of them. */
export function composeFiles({ settings, context, options, guard, random }: LinkFilesParts): {
  readonly lanes: FileLanes;
  readonly fetches: FetchDesk;
} {
  const { config, dataDir } = settings;
  const { clock, report } = context;
  const book = openCustody(join(dataDir, CUSTODY_FILE), (message) => report('error', message));
  const probe = config.link.networks.length > 0 ? new NetworkProbe(options.url, clock) : undefined;
  const http = new HttpObjects(options);
  const central = guard ? new GuardedObjects(http, guard) : http;
  const sender = new ObjectSender({
    ...{ robot: config.daemon.name, clock, book, central, report },
    files: new DataFiles(dataDir),
    line: new LineBudget({
      rules: config.link.networks,
      monotonicMs: () => clock.monotonicMs(),
      today: () => today(toMs(clock.now())),
      network: () => probe?.name ?? '',
      spent: (day, network) => book.spent(day, network),
      spend: (day, network, bytes) => book.spend(day, network, bytes),
    }),
  });
  const log = objectLog(settings, book);
  const close = async () => {
    probe?.close();
    await central.close();
    log.close();
    book.close();
  };
  return {
    lanes: new FileLanes({ clock, book, log, sender, random, close }),
    fetches: new FetchDesk({
      book,
      sender,
      rangesOf: (path, from, to) => bagRanges(dataDir, path, from, to),
    }),
  };
}

/** Enters the recordings that are to go to central into the book. */
export function objectLog({ config, dataDir }: Settings, book: CustodyBook): ObjectLog {
  const { mode, bag } = config.recorder;
  const ring = mode === 'ring' ? bag || RING_BAG : undefined;
  return new ObjectLog({
    book,
    openReader: () => openEventReader(dataDir, 'execution'),
    skips: (name) => name === ring,
    bags: config.link.bags === 'clips' ? 'clips' : 'all',
  });
}

/** Date and minute of the day in the time zone of this host. */
function today(ms: number): { day: string; minute: number } {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  return {
    day: `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
    minute: date.getHours() * 60 + date.getMinutes(),
  };
}
