import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { SqliteEventLog } from '../../adapters/event-log/index.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { type DiskImported, importDisk } from '../../central/disk-import.ts';
import { openInvitations } from '../../central/invitations.ts';
import { DiskExport, type DiskExported, type DiskExportOptions } from '../../cli/link/disk-export.ts';
import {
  type Cell,
  type CellContext,
  type CellName,
  type DiskReceiptsTaken,
  METHODS,
  type NewEvent,
} from '../../contract/index.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { composeLink } from '../../daemon/compose/link.ts';
import { enrolRobot } from '../../daemon/compose/link-identity.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';
import { RobotDisk } from '../../io/robot-disk.ts';
import { type CentralRig, noise } from './object-rig.ts';

const clock = new SystemClock();
const METHOD: Readonly<Record<string, string>> = {
  '/v1/link/disk': METHODS.link.diskOpen,
  '/v1/link/disk/next': METHODS.link.diskNext,
  '/v1/link/disk/manifest': METHODS.link.diskSign,
  '/v1/link/disk/receipts': METHODS.link.diskReceipts,
};

/** A robot with real logs, files and the link cell that a daemon composes, and the API of the cell without HTTP. */
export class DiskRobot {
  readonly name: string;
  readonly dataDir: string;
  readonly logs = new Map<CellName, SqliteEventLog>();
  cell!: Cell;
  #seed = 1;
  readonly #handlers = new Map<string, (body: unknown, from: CellName, atMs: number) => unknown>();

  constructor(name: string) {
    this.name = name;
    this.dataDir = mkdtempSync(join(tmpdir(), `${name}-`));
  }

  async open(more = ''): Promise<this> {
    const { dataDir, name } = this;
    for (const cell of ['runtime', 'execution', 'memory', 'link'] as const)
      if (!this.logs.has(cell))
        this.logs.set(cell, await SqliteEventLog.open({ dataDir, cell, clock, thread: 'caller' }));
    const own = this.logs.get('link')!;
    const { config } = readConfig(`${more}\n[daemon]\nname = "${name}"`, 'test.toml', {});
    const context: CellContext = {
      ...{ name: 'link', clock, log: own, dataDir, attempt: 0, startReason: 'test', report: () => {} },
      bus: {
        request: () => Promise.reject(new Error('none')),
        handle: (method, answer) => void this.#handlers.set(method, answer as never),
        broadcast: () => {},
        onBroadcast: () => {},
      },
      emit: async (events) => void (await own.append(events)),
    };
    this.cell = await composeLink({ config, dataDir } as Settings, context);
    await this.cell.start();
    return this;
  }

  /** The link cell starts again with another configuration. */
  async restart(more: string): Promise<void> {
    await this.cell.stop();
    await this.open(more);
  }

  async enrol(central: CentralRig): Promise<void> {
    const { name, dataDir } = this;
    const desk = await openInvitations(central.dataDir, new FileSecrets(central.dataDir, 'cli'), clock);
    const token = await desk.invite(name, 3_600_000);
    desk.close();
    const { url } = central.running;
    await enrolRobot({ url, token, robot: name, dataDir, clock, ca: undefined, trustFirst: false });
  }

  async log(cell: CellName, count: number): Promise<void> {
    const events = Array.from(
      { length: count },
      (_, n): NewEvent => ({
        kind: 'run.phase',
        payload: { phase: `p${n % 7}`, reason: 'load', facts: { n, pad: 'x'.repeat(n % 400) } },
      }),
    );
    await this.logs.get(cell)!.append(events);
  }

  /** A sealed segment, in the log and on the disk of the robot. Returns its content. */
  async record(path: string, bytes: number): Promise<Buffer> {
    const content = noise(bytes, this.#seed++);
    const file = join(this.dataDir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const facts = { messages: 1, start_ns: '1', end_ns: '2', topics: { '/t': 1 }, repaired: false };
    const payload = { bag: 'run', path, sha256, bytes, ...facts };
    await this.logs.get('execution')!.append([{ kind: 'segment.sealed', payload }]);
    return content;
  }

  ask<T>(method: string, body: unknown): Promise<T> {
    return Promise.resolve(this.#handlers.get(method)!(body, 'runtime', 0)) as Promise<T>;
  }

  /** Calls of the API that go straight to the cell; values pass as JSON, as over HTTP. */
  readonly api: ApiClient = {
    url: 'test',
    get: () => Promise.reject(new Error('none')),
    post: async <T>(path: string, body: unknown) => {
      const answer = await this.ask(METHOD[path]!, JSON.parse(JSON.stringify(body)));
      return JSON.parse(JSON.stringify(answer)) as T;
    },
    // biome-ignore lint/correctness/useYield: no call of a disk answers in lines
    postLines: async function* () {
      throw new Error('none');
    },
    postBytes: async (path, { payload }) => {
      const body = JSON.parse(Buffer.from(payload).toString());
      const { manifest } = await this.ask<{ manifest: Uint8Array }>(METHOD[path]!, body);
      return { payload: manifest, encoding: 'application/octet-stream' };
    },
    stream: async (path) => {
      const query = new URL(path, 'http://test').searchParams;
      const [session, item, part] = [query.get('session'), query.get('item'), query.get('part')];
      const body = { session, item: Number(item), part: Number(part) };
      const { bytes } = await this.ask<{ bytes: Buffer }>(METHODS.link.diskPiece, body);
      return new Response(new Uint8Array(bytes));
    },
  };

  exportTo(dir: string, more: Partial<DiskExportOptions> = {}): Promise<DiskExported> {
    return DiskExport.run(this.api, {
      ...{ dir, lanes: [], all: false, maxBytes: undefined, onProgress: () => {} },
      monotonicMs: () => clock.monotonicMs(),
      ...more,
    });
  }

  /** Files with receipts for this robot on a disk, parsed. */
  async receiptsOn(dir: string): Promise<Record<string, unknown>[]> {
    const disk = (await RobotDisk.open(dir, this.name, false))!;
    try {
      const files: Record<string, unknown>[] = [];
      for (const name of await disk.receiptFiles())
        files.push(JSON.parse((await disk.receipts(name))!.toString()));
      return files;
    } finally {
      await disk.close();
    }
  }

  take(receipts: unknown): Promise<DiskReceiptsTaken> {
    return this.api.post<DiskReceiptsTaken>('/v1/link/disk/receipts', { receipts });
  }

  async takeAll(dir: string): Promise<{ lanes: Record<string, number>; files: number; known: number }> {
    const sum = { lanes: {} as Record<string, number>, files: 0, known: 0 };
    for (const file of await this.receiptsOn(dir)) {
      const taken = await this.take(file);
      for (const { lane, seq } of taken.lanes) sum.lanes[lane] = seq;
      sum.files += taken.files;
      sum.known += taken.known;
    }
    return sum;
  }

  lastOf(cell: CellName): number {
    return this.logs.get(cell)!.reader().lastSeq();
  }

  async close(): Promise<void> {
    await this.cell.stop();
    for (const log of this.logs.values()) await log.close();
    rmSync(this.dataDir, { recursive: true });
  }
}

/** As `auraison central import`, beside the coordinator that runs. */
export function importAt(central: { readonly dataDir: string }, dir: string): Promise<DiskImported> {
  const { dataDir } = central;
  return importDisk({ dir, dataDir, clock, secrets: new FileSecrets(dataDir, 'import') });
}

/** What a coordinator holds of a robot, by its databases: events of each lane, how many of them differ, and files. */
export function heldAt(dataDir: string, robot: string) {
  const events = new DatabaseSync(join(dataDir, 'central.db'), { readOnly: true });
  const files = new DatabaseSync(join(dataDir, 'objects.db'), { readOnly: true });
  try {
    const lanes = events
      .prepare(
        `SELECT lane, count(*) AS rows, count(DISTINCT event_id) AS ids, max(e.seq) AS last
           FROM event e JOIN lane l ON l.id = e.lane_id WHERE robot = ? GROUP BY lane ORDER BY lane`,
      )
      .all(robot) as { lane: string; rows: number; ids: number; last: number }[];
    const objects = files
      .prepare(
        `SELECT name, o.sha256, held FROM object o JOIN content c ON c.robot = o.robot AND c.sha256 = o.sha256
          WHERE o.robot = ? ORDER BY name`,
      )
      .all(robot) as { name: string; sha256: string; held: number }[];
    return { lanes: lanes.map((row) => ({ ...row })), objects: objects.map((row) => ({ ...row })) };
  } finally {
    events.close();
    files.close();
  }
}
