import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT, until } from './daemon.ts';
import { freePort } from './zenoh.ts';

export type MosquittoOptions = {
  /** PEM: the certificate of the broker, and its key. Undefined: without TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Undefined: anybody may come. */
  readonly users?: Readonly<Record<string, string>>;
};

/** A real broker that tests may kill; the port stays the same across starts. */
export class Mosquitto {
  readonly port: number;
  readonly url: string;
  readonly #bin: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  private constructor(bin: string, config: string, port: number, scheme: string) {
    this.#bin = bin;
    this.#config = config;
    this.port = port;
    this.url = `${scheme}://localhost:${port}`;
  }

  /** `folder`: of its files. */
  static async start(folder: string, { tls, users }: MosquittoOptions = {}): Promise<Mosquitto> {
    const { stdout, status, stderr } = spawnSync('bash', [join(ROOT, 'test/peers/mosquitto.sh')], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`no Mosquitto: ${stderr}`);
    const bin = stdout.trim();
    const port = await freePort();
    const lines = [`listener ${port} 127.0.0.1`, `allow_anonymous ${users === undefined}`];
    if (tls) {
      writeFileSync(join(folder, 'broker.pem'), tls.certificate);
      writeFileSync(join(folder, 'broker-key.pem'), tls.key);
      lines.push(`certfile ${join(folder, 'broker.pem')}`, `keyfile ${join(folder, 'broker-key.pem')}`);
    }
    if (users) {
      const file = join(folder, 'passwords');
      writeFileSync(
        file,
        Object.entries(users)
          .map(([name, word]) => `${name}:${word}\n`)
          .join(''),
      );
      const made = spawnSync(join(bin, 'mosquitto_passwd'), ['-U', file], { encoding: 'utf8' });
      if (made.status !== 0) throw new Error(made.stderr);
      lines.push(`password_file ${file}`);
    }
    const config = join(folder, 'mosquitto.conf');
    writeFileSync(config, `user root\n${lines.join('\n')}\n`);
    chmodSync(folder, 0o755);
    const broker = new Mosquitto(bin, config, port, tls ? 'mqtts' : 'mqtt');
    await broker.again();
    return broker;
  }

  /** After `kill`: it has forgotten everything. */
  async again(): Promise<void> {
    this.#child = spawn(join(this.#bin, 'mosquitto'), ['-c', this.#config], { stdio: 'ignore' });
    await until(() => this.#listens(), 'Mosquitto listens');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** By the client of Mosquitto itself. */
  publish(topic: string, payload: string): void {
    const args = ['-h', '127.0.0.1', '-p', `${this.port}`, '-V', 'mqttv5', '-q', '1', '-t', topic, '-s'];
    const { status, stderr } = spawnSync(join(this.#bin, 'mosquitto_pub'), args, {
      input: payload,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr);
  }

  /** What it keeps for a topic, read by the client of Mosquitto; undefined: nothing within a second. */
  kept(topic: string): string | undefined {
    const args = ['-h', '127.0.0.1', '-p', `${this.port}`, '-V', 'mqttv5', '-t', topic, '-C', '1', '-W', '1'];
    const { status, stdout } = spawnSync(join(this.#bin, 'mosquitto_sub'), args, { encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  }

  #listens(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1');
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  }
}
