import type { FileLanes } from '../../central-link/file-lanes.ts';
import { LinkCell } from '../../central-link/link-cell.ts';
import type { CellContext, CellName, Central, Clock, LinkStatus } from '../../contract/index.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { TinyLog } from './tiny-log.ts';

export type LinkRig = {
  readonly cell: LinkCell;
  readonly own: MemoryEventLog;
  readonly logs: Record<Exclude<CellName, 'link'>, TinyLog>;
  readonly reports: string[];
  /** As the other cells do after an append. */
  grew(): void;
  ask(method: string, body?: unknown): Promise<LinkStatus>;
};

/** The link cell with three logs in memory and its own one. */
export function makeLinkRig(clock: Clock, central: Central | undefined, files?: FileLanes): LinkRig {
  const own = new MemoryEventLog({ cell: 'link', clock });
  const logs = {
    execution: new TinyLog('execution', 1_000),
    runtime: new TinyLog('runtime', 2_000),
    memory: new TinyLog('memory', 3_000),
  };
  const handlers = new Map<string, Parameters<CellContext['bus']['handle']>[1]>();
  const listeners: ((body: unknown, from: CellName) => void)[] = [];
  const reports: string[] = [];
  const context: CellContext = {
    name: 'link',
    clock,
    log: own,
    dataDir: '',
    attempt: 0,
    startReason: 'test',
    bus: {
      request: () => Promise.reject(new Error('the link asks nobody')),
      handle: (method, answer) => void handlers.set(method, answer as never),
      broadcast: () => {},
      onBroadcast: (_topic, listen) => void listeners.push(listen),
    },
    report: (level, message) => void reports.push(`${level} ${message}`),
    emit: async (events) => void (await own.append(events)),
  };
  const cell = new LinkCell(context, {
    robot: 'tb1',
    central,
    ...(files ? { files } : {}),
    openReader: (name) => (name === 'link' ? own.reader() : logs[name].reader()),
    random: () => 0.5,
  });
  return {
    cell,
    own,
    logs,
    reports,
    grew: () => {
      for (const listen of listeners) listen({ lastSeq: 1 }, 'runtime');
    },
    ask: async (method, body) => (await handlers.get(method)!(body as never, 'runtime', 0, 0)) as LinkStatus,
  };
}
