import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, EdgeError, type Secrets } from '../contract/index.ts';
import { CentralServer } from './central-server.ts';
import { Coordinator } from './coordinator.ts';
import { LaneStore } from './lane-store.ts';
import { ObjectDesk } from './object-desk.ts';
import { ObjectFiles } from './object-files.ts';
import { ObjectRows } from './object-rows.ts';
import { Operators } from './operators.ts';
import { OrderQueue } from './order-queue.ts';
import { OrderStore } from './order-store.ts';
import { ReceiptSigner } from './receipt-signer.ts';
import { Robots } from './robots.ts';

export type CentralOptions = {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Keeps token and receipt key; both are made at the first start. */
  readonly secrets: Secrets;
  /** `none` on loopback only. */
  readonly auth?: 'token' | 'none';
  /** Bytes that the files of all robots may take; 0 or absent: as many as the disk has. */
  readonly quotaBytes?: number;
  readonly report?: (message: string, error: unknown) => void;
};

export type RunningCentral = {
  readonly url: string;
  /** The token of robots; undefined where none is required. */
  readonly token: string | undefined;
  /** The token of operators; undefined where none is required. */
  readonly operatorToken: string | undefined;
  stop(): Promise<void>;
};

/** Starts the reference coordinator. Rejects with `host.port_in_use`, `host.missing` or `config.invalid`. */
export async function startCentral(options: CentralOptions): Promise<RunningCentral> {
  const { dataDir, host, port, clock, secrets, auth = 'token' } = options;
  if (auth === 'none' && !/^(localhost|::1|127(\.\d+){3})$/.test(host)) {
    throw new EdgeError('config.invalid', {
      operation: 'open coordinator',
      subject: host,
      message: 'without a token the coordinator stays on loopback',
    });
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o750 });
  const token =
    auth === 'none'
      ? undefined
      : await secrets.readOrCreate('token', () => randomBytes(32).toString('base64url'));
  const operatorToken =
    auth === 'none'
      ? undefined
      : await secrets.readOrCreate('operator-token', () => randomBytes(32).toString('base64url'));
  const signer = new ReceiptSigner(await secrets.readOrCreate('receipt-key.pem', ReceiptSigner.newKey));
  const store = new LaneStore(join(dataDir, 'central.db'), () => clock.now());
  const orderStore = new OrderStore(join(dataDir, 'orders.db'));
  const orders = new OrderQueue(orderStore, signer, clock, (length) => randomBytes(length));
  const rows = new ObjectRows(join(dataDir, 'objects.db'), () => clock.now());
  const report = options.report ?? (() => {});
  const objects = new ObjectDesk({
    ...{ rows, signer, clock, report },
    files: new ObjectFiles(join(dataDir, 'objects')),
    quotaBytes: options.quotaBytes ?? 0,
  });
  const closeStores = () => {
    store.close();
    orderStore.close();
    rows.close();
  };
  const server = new CentralServer({
    coordinator: new Coordinator(store, signer),
    objects,
    orders,
    operators:
      operatorToken === undefined ? undefined : new Operators(operatorToken, join(dataDir, 'operators')),
    robots: token === undefined ? undefined : new Robots(token, join(dataDir, 'robots'), report),
    host,
    port,
    clock,
    report,
  });
  try {
    const { url } = await server.start();
    return {
      url,
      token,
      operatorToken,
      async stop() {
        await server.stop();
        await objects.close();
        closeStores();
      },
    };
  } catch (error) {
    closeStores();
    throw error;
  }
}
