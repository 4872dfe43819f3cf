import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { type Broker, type Clock, EdgeError, LIMITS, type Secrets } from '../contract/index.ts';
import { Authority, certificatesOf } from './authority.ts';
import { Callers } from './callers.ts';
import { CentralServer } from './central-server.ts';
import { Coordinator } from './coordinator.ts';
import { Enrolment } from './enrolment.ts';
import { IDENTITIES_FILE, IdentityRows } from './identity-rows.ts';
import { AUTHORITIES } from './invitations.ts';
import { LaneStore } from './lane-store.ts';
import { ObjectDesk } from './object-desk.ts';
import { ObjectFiles } from './object-files.ts';
import { ObjectRows } from './object-rows.ts';
import { Operators } from './operators.ts';
import { OrderQueue } from './order-queue.ts';
import { OrderStore } from './order-store.ts';
import { ReceiptSigner } from './receipt-signer.ts';
import { Robots } from './robots.ts';
import { requireTls, startMqtt } from './start-mqtt.ts';
import { authoritiesFor, type TlsFiles, tlsOptions } from './tls.ts';

export type CentralOptions = {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Keeps token and receipt key; both are made at the first start. */
  readonly secrets: Secrets;
  /** `none` on loopback only; `certificate`: no token speaks for a robot. */
  readonly auth?: 'token' | 'certificate' | 'none';
  /** Absent: plain HTTP. `names`: under which robots reach it, besides those of the host. */
  readonly tls?: TlsFiles & { readonly names?: readonly string[] };
  /** How long certificates of robots are valid, milliseconds. */
  readonly certificateMs?: number;
  /** Bytes that the files of all robots may take; 0 or absent: as many as the disk has. */
  readonly quotaBytes?: number;
  readonly report?: (message: string, error: unknown) => void;
  /** A broker of messages through which robots reach it too; needs `tls`. */
  readonly broker?: Broker;
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
  if (auth === 'certificate' && !options.tls) {
    throw new EdgeError('config.invalid', {
      operation: 'open coordinator',
      subject: '--auth',
      message: '--auth certificate: certificates need TLS',
      hint: 'add --tls',
    });
  }
  requireTls(options.broker, options.tls !== undefined);
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
  const identities = new IdentityRows(join(dataDir, IDENTITIES_FILE), () => clock.now());
  const closeStores = () => {
    store.close();
    orderStore.close();
    rows.close();
    identities.close();
  };
  const tls = await tlsOf(options, identities, signer.key.public_key).catch((error: unknown) => {
    closeStores();
    throw error;
  });
  const coordinator = new Coordinator(store, signer);
  let mqtt: ReturnType<typeof startMqtt> | undefined;
  const server = new CentralServer({
    coordinator,
    presence: () => mqtt?.list() ?? [],
    objects,
    orders,
    callers: new Callers({
      operators:
        operatorToken === undefined ? undefined : new Operators(operatorToken, join(dataDir, 'operators')),
      robots: token === undefined ? undefined : new Robots(token, join(dataDir, 'robots'), report),
      enrolment: tls?.enrolment,
      isBound: (robot) => identities.isBound(robot),
      onlyCertificates: auth === 'certificate',
    }),
    tls,
    host,
    port,
    clock,
    report,
  });
  let dueNs = dueOf(tls, clock.now());
  /** Issued, or read, again when two thirds of its time are over. */
  const renewed = async () => {
    if (!tls || clock.now() < dueNs) return;
    const fresh = await tls.fresh();
    server.useCertificate(fresh);
    dueNs = dueOf({ options: fresh }, clock.now());
  };
  try {
    const { url } = await server.start();
    if (options.broker && tls) {
      const { enrolment, anchors } = tls;
      const parts = { dataDir, clock, broker: options.broker, coordinator, orders, signer, report };
      mqtt = startMqtt({ ...parts, signature: { enrolment, anchors } });
    }
    const upkeep =
      tls &&
      clock.every(
        LIMITS.CENTRAL_CERTIFICATE_LOOK_MS,
        () =>
          void renewed().catch((error: unknown) =>
            report('certificate of the coordinator not renewed', error),
          ),
      );
    return {
      url,
      token,
      operatorToken,
      async stop() {
        upkeep?.cancel();
        await mqtt?.close();
        await server.stop();
        await objects.close();
        closeStores();
      },
    };
  } catch (error) {
    // It may listen already, where it is the broker's part that failed.
    await server.stop();
    closeStores();
    throw error;
  }
}

async function tlsOf(
  { tls: files, dataDir, secrets, clock, certificateMs }: CentralOptions,
  rows: IdentityRows,
  receiptKey: string,
) {
  if (!files) return undefined;
  const authority = await Authority.open(secrets, clock);
  const fresh = () => tlsOptions(authority, files, files.names ?? []);
  const authorities = authoritiesFor(authority, files);
  writeFileSync(join(dataDir, AUTHORITIES), authorities);
  const enrolment = new Enrolment({
    ...{ rows, authority, authorities, receiptKey, clock },
    ...(certificateMs === undefined ? {} : { validMs: certificateMs }),
  });
  const first = await fresh();
  // Certificates of robots count as they do over TLS.
  return { options: first, enrolment, fresh, anchors: certificatesOf([first.ca].flat().join('\n')) };
}

/** When a certificate is to be replaced, by the clock of the host. */
function dueOf(tls: { readonly options: TlsOptions } | undefined, nowNs: bigint): bigint {
  if (!tls) return nowNs;
  const endMs = new X509Certificate(String(tls.options.cert)).validToDate.getTime();
  return nowNs + ((BigInt(endMs) * 1_000_000n - nowNs) * 2n) / 3n;
}
