import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { type CentralOptions, type RunningCentral, startCentral } from '../../central/start-central.ts';
import { CUSTODY_FILE, CustodyBook } from '../../central-link/custody-book.ts';
import { HttpObjects } from '../../central-link/http-objects.ts';
import { LineBudget } from '../../central-link/line-budget.ts';
import { DataFiles } from '../../central-link/object-files.ts';
import { ObjectSender } from '../../central-link/object-sender.ts';
import type { Clock, LinkNetwork, ObjectCentral, ObjectLaneName } from '../../contract/index.ts';

const EPOCH = '0190f5c2-7b3a-7000-8000-000000000001';

/** Bytes that do not become smaller, the same for the same seed. */
export function noise(bytes: number, seed: number): Buffer {
  const out = Buffer.allocUnsafe(bytes);
  let state = seed * 2_654_435_761 + 1;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

/** A robot with files, without a daemon: the book, the sender and what is under it. */
export class ObjectRig {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'objects-'));
  readonly book = new CustodyBook(join(this.dataDir, CUSTODY_FILE));
  readonly contents = new Map<string, Buffer>();
  readonly reports: string[] = [];
  readonly clock: Clock;
  #seq = 0;

  constructor(clock: Clock = new SystemClock()) {
    this.clock = clock;
  }

  add(path: string, content: Buffer, lane: ObjectLaneName = 'bags'): string {
    const file = join(this.dataDir, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    this.contents.set(path, content);
    this.book.add({ path, lane, epoch: EPOCH, seq: ++this.#seq, sha256, bytes: content.length });
    return sha256;
  }

  sender(central: ObjectCentral, rules: readonly LinkNetwork[] = [], minute = () => 0): ObjectSender {
    const { book, clock, dataDir } = this;
    return new ObjectSender({
      ...{ robot: 'tb1', clock, book, central, files: new DataFiles(dataDir) },
      line: new LineBudget({
        rules,
        monotonicMs: () => clock.monotonicMs(),
        today: () => ({ day: '2026-11-24', minute: minute() }),
        network: () => 'wwan0',
        spent: (day, network) => book.spent(day, network),
        spend: (day, network, bytes) => book.spend(day, network, bytes),
      }),
      report: (level, message) => void this.reports.push(`${level} ${message}`),
    });
  }

  close(): void {
    this.book.close();
    rmSync(this.dataDir, { recursive: true });
  }
}

/** The reference coordinator in a folder of its own. */
export class CentralRig {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'central-'));
  running!: RunningCentral;

  async start(options: Partial<CentralOptions> = {}): Promise<this> {
    this.running = await startCentral({
      ...{ dataDir: this.dataDir, host: '127.0.0.1', port: 0, clock: new SystemClock() },
      secrets: new FileSecrets(this.dataDir, 'test'),
      ...options,
    });
    return this;
  }

  objects(url = this.running.url, token = this.running.token): HttpObjects {
    return new HttpObjects({ url, clock: new SystemClock(), token: () => token });
  }

  /** Of a robot, as an operator sees them. */
  async list(
    robot = 'tb1',
  ): Promise<{ id: string; name: string; state: string; sha256: string; bytes_there: number }[]> {
    const response = await this.read(`/objects/v1?robot=${robot}&limit=1000`);
    return ((await response.json()) as { objects: Awaited<ReturnType<CentralRig['list']>> }).objects;
  }

  read(path: string, range?: string): Promise<Response> {
    const { url, operatorToken } = this.running;
    const headers = { authorization: `Bearer ${operatorToken}`, ...(range ? { range } : {}) };
    return fetch(url + path, { headers });
  }

  async stop(): Promise<void> {
    await this.running.stop();
    rmSync(this.dataDir, { recursive: true });
  }
}
