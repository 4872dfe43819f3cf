import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RemotePlace } from '../../adapters/ducklake/remote-place.ts';
import { accepts } from './accepts.ts';
import { Authority } from './certificates.ts';
import { freePort } from './zenoh.ts';

let place: string | undefined;

/** The folder of what test/peers/lake.sh fetches. */
function peer(): string {
  place ??= execFileSync('bash', [join(import.meta.dirname, '..', 'peers', 'lake.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  return place;
}

export const KEY_ID = 'robotkey';
export const SECRET = 'a-secret-of-robots';
export const PASSWORD = "it's a password\\ of postgres";
const BUCKET = 'lake';

/** A server in a process of its own, that can be stopped, paused, and started again on the same port and data. */
class Server {
  readonly port: number;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;
  #said = '';

  constructor(port: number, command: readonly string[]) {
    this.port = port;
    this.#command = command;
  }

  async start(): Promise<void> {
    const [program = '', ...args] = this.#command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => {
        this.#said = (this.#said + piece.toString()).slice(-4_000);
      });
    for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
      if (await accepts(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${program} does not answer on port ${this.port}: ${this.#said}`);
  }

  /** At once, as a power cut of that host. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** It keeps its connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}

export type S3Kind = 'seaweedfs' | 'rclone over TLS' | 'rclone, virtual style';

/** A PostgreSQL and a server of S3 of one test file, with a bucket; each `place` is a lake of its own there. */
export class LakeServers {
  readonly folder: string;
  readonly postgres: Server;
  readonly s3: Server;
  readonly #kind: S3Kind;
  readonly #ca: string;
  #places = 0;

  private constructor(folder: string, kind: S3Kind, postgres: Server, s3: Server, ca: string) {
    this.folder = folder;
    this.#kind = kind;
    this.postgres = postgres;
    this.s3 = s3;
    this.#ca = ca;
  }

  static async start(kind: S3Kind): Promise<LakeServers> {
    const folder = mkdtempSync(join(tmpdir(), 'auraison-lake-servers-'));
    const authority = new Authority(folder, 'lake-servers');
    const { certificate, key } = authority.issue('localhost');
    const isTls = kind === 'rclone over TLS';
    const postgres = await makePostgres(folder, isTls ? { certificate, key } : undefined);
    const s3 =
      kind === 'seaweedfs'
        ? await makeSeaweed(folder)
        : await makeRclone(
            folder,
            isTls ? ['--cert', certificate, '--key', key] : ['--force-path-style=false'],
          );
    const servers = new LakeServers(folder, kind, postgres, s3, isTls ? authority.ca : '');
    await Promise.all([postgres.start(), s3.start()]);
    if (kind === 'seaweedfs') await servers.#makeBucket();
    return servers;
  }

  /** Of a new lake, which nothing is in. */
  place(): RemotePlace {
    this.#places += 1;
    const name = `robot_${this.#places}`;
    const isTls = this.#ca !== '';
    return {
      catalog: {
        ...{ host: 'localhost', port: this.postgres.port, database: 'postgres', user: 'lake' },
        ...{ password: PASSWORD, schema: name, tls: isTls ? 'verify' : 'off', caFile: this.#ca },
      },
      storage: {
        ...{ url: `s3://${BUCKET}/${name}/`, endpoint: `localhost:${this.s3.port}`, tls: isTls },
        ...{ region: 'us-east-1', style: this.#kind === 'rclone, virtual style' ? 'virtual' : 'path' },
        ...{ caFile: this.#ca, keyId: KEY_ID, secret: SECRET },
      },
    };
  }

  /** Objects of a lake, as another client of S3 lists them. */
  objects({ storage }: RemotePlace): string[] {
    // Names below localhost are for clients that know them: rclone does not, but serves a folder.
    if (this.#kind === 'rclone, virtual style')
      return readdirSync(storage.url.replace('s3:/', join(this.folder, 'rclone')), { recursive: true }).map(
        String,
      );
    const listed = this.#rclone('lsf', '--recursive', '--files-only', storage.url.replace('s3://', 'test:'));
    return listed.split('\n').filter((line) => line !== '');
  }

  async stop(): Promise<void> {
    this.postgres.resume();
    this.s3.resume();
    await Promise.all([this.postgres.kill(), this.s3.kill()]);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #makeBucket(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        this.#rclone('mkdir', `test:${BUCKET}`);
        // Volumes are assigned a moment after the port is open.
        execFileSync(join(peer(), 'rclone'), ['rcat', `test:${BUCKET}/ready`], {
          ...{ env: this.#env(), input: 'ready', stdio: ['pipe', 'ignore', 'pipe'] },
        });
        return;
      } catch (thrown) {
        if (tries > 100) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  #rclone(...args: string[]): string {
    return execFileSync(join(peer(), 'rclone'), [...args, '--retries', '1'], {
      ...{ encoding: 'utf8', env: this.#env() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  #env(): NodeJS.ProcessEnv {
    const scheme = this.#ca === '' ? 'http' : 'https';
    return {
      ...{ PATH: process.env['PATH'], RCLONE_CONFIG: join(this.folder, 'rclone.conf') },
      ...{ RCLONE_CONFIG_TEST_TYPE: 's3', RCLONE_CONFIG_TEST_PROVIDER: 'Other' },
      RCLONE_CONFIG_TEST_ENDPOINT: `${scheme}://localhost:${this.s3.port}`,
      RCLONE_CONFIG_TEST_FORCE_PATH_STYLE: String(this.#kind !== 'rclone, virtual style'),
      RCLONE_CONFIG_TEST_ACCESS_KEY_ID: KEY_ID,
      RCLONE_CONFIG_TEST_SECRET_ACCESS_KEY: SECRET,
      ...(this.#ca === '' ? {} : { RCLONE_CA_CERT: this.#ca }),
    };
  }
}

/** PostgreSQL refuses to run as root: in a user namespace it has another name, and no root is needed for that. */
async function makePostgres(
  folder: string,
  tls: { readonly certificate: string; readonly key: string } | undefined,
): Promise<Server> {
  const data = join(folder, 'postgres');
  const bin = join(peer(), 'postgres', 'bin');
  const as = process.getuid?.() === 0 ? ['unshare', '--user', '--map-user=1000', '--map-group=1000'] : [];
  const password = join(folder, 'postgres.password');
  writeFileSync(password, PASSWORD, { mode: 0o600 });
  const init = ['-D', data, '-U', 'lake', '--auth=scram-sha-256', `--pwfile=${password}`];
  const [program = '', ...args] = [
    ...as,
    join(bin, 'initdb'),
    ...init,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ];
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const options = ["listen_addresses='127.0.0.1'", "unix_socket_directories=''", 'shared_buffers=16MB'];
  if (tls) {
    for (const [from, to] of [
      [tls.certificate, 'server.crt'],
      [tls.key, 'server.key'],
    ] as const) {
      copyFileSync(from, join(data, to));
      chmodSync(join(data, to), 0o600);
    }
    options.push('ssl=on');
  }
  writeFileSync(join(data, 'postgresql.auto.conf'), `${options.join('\n')}\n`);
  if (tls) writeFileSync(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n');
  const port = await freePort();
  return new Server(port, [...as, join(bin, 'postgres'), '-D', data, '-p', String(port)]);
}

async function makeRclone(folder: string, more: readonly string[]): Promise<Server> {
  const data = join(folder, 'rclone');
  mkdirSync(join(data, BUCKET), { recursive: true });
  const port = await freePort();
  const address = ['--addr', `127.0.0.1:${port}`, '--auth-key', `${KEY_ID},${SECRET}`];
  const config = ['--config', join(folder, 'rclone.conf'), '--vfs-cache-mode', 'off'];
  return new Server(port, [join(peer(), 'rclone'), 'serve', 's3', ...address, ...config, ...more, data]);
}

async function makeSeaweed(folder: string): Promise<Server> {
  const data = join(folder, 'seaweed');
  mkdirSync(data);
  const identities = join(folder, 's3.json');
  const actions = ['Admin', 'Read', 'Write', 'List', 'Tagging'];
  const credentials = [{ accessKey: KEY_ID, secretKey: SECRET }];
  writeFileSync(identities, JSON.stringify({ identities: [{ name: 'lake', credentials, actions }] }));
  const ports: string[] = [];
  for (const name of ['master', 'volume', 'filer'])
    ports.push(`-${name}.port=${await freePort()}`, `-${name}.port.grpc=${await freePort()}`);
  const port = await freePort();
  const s3 = ['-s3', `-s3.port=${port}`, `-s3.port.grpc=${await freePort()}`, `-s3.config=${identities}`];
  s3.push('-s3.port.iceberg=0', '-s3.port.lance=0');
  const small = ['-master.telemetry=false', '-volume.max=20', '-master.volumeSizeLimitMB=64'];
  const own = [`-dir=${data}`, '-ip=127.0.0.1', ...ports, ...s3, ...small];
  return new Server(port, [join(peer(), 'weed'), 'server', ...own]);
}
