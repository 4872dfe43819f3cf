import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { DiskDesk } from '../../central-link/disk-desk.ts';
import type { EgressGuard } from '../../central-link/egress-guard.ts';
import { LinkCell } from '../../central-link/link-cell.ts';
import { type Cell, type CellContext, type CellName, type Central, TOPICS } from '../../contract/core.ts';
import { isPlainBroker } from '../config/broker-address.ts';
import { isLoopbackHost } from '../config/loopback.ts';
import { readPem } from '../pem-file.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** The link cell: off without `link.central_url` and `link.mqtt_url`. */
export async function composeLink(settings: Settings, context: CellContext): Promise<Cell> {
  const { config, dataDir } = settings;
  const { central_url: url, mqtt_url: brokerUrl, token_file: tokenFile, key_file: keyFile } = config.link;
  // Read once here, so that a wrong file is found at the start; read again at every request, so that a
  // replaced token is taken up.
  readSecret(tokenFile, 'link.token_file', process.env);
  const robot = config.daemon.name;
  const random = () => randomInt(2 ** 32) / 2 ** 32;
  let guarding: Promise<EgressGuard | undefined> | undefined;
  const guardOf = () => {
    guarding ??= egressGuard(settings, context);
    return guarding;
  };
  const disk = () => makeDisk(settings, context, guardOf);
  const common = { robot, disk, openReader, random };
  if (url === '' && brokerUrl === '') return new LinkCell(context, { ...common, central: undefined });
  const [{ linkIdentity, refusedWay, refusedBroker }, { linkRenewal }] = await Promise.all([
    import('../../central-link/link-identity.ts'),
    import('./link-identity.ts'),
  ]);
  const identity = linkIdentity(config.link, dataDir, process.env['CREDENTIALS_DIRECTORY']);
  // Files that do not fit are found at the start, as the token is.
  identity.tls();
  const reasons = [
    ...(url === '' ? [] : [refusedWay(config.link, identity, isLoopbackHost)]),
    ...(brokerUrl === '' ? [] : [refusedBroker(config.link, identity, isPlainBroker)]),
  ];
  const refused = reasons.filter((reason) => reason !== undefined).join('; ');
  if (reasons.every((reason) => reason !== undefined)) {
    context.report('error', 'nothing goes to central', { reason: refused });
    return new LinkCell(context, { ...common, central: undefined, refused });
  }
  if (refused !== '') context.report('error', 'one way to central is not taken', { reason: refused });
  const overHttp = url !== '' && reasons[0] === undefined;
  const renewal = linkRenewal(identity, context, { url, robot, dataDir });
  const publicKey = keyFile === '' ? identity.receiptKey : readPem(keyFile, 'link.key_file');
  const options = {
    ...{ url, clock: context.clock, tls: identity.tls, credentials: identity.credentials, publicKey },
    token: () => readSecret(tokenFile, 'link.token_file', process.env),
  };
  const broker = brokerUrl !== '' && reasons.at(-1) === undefined ? await makeBroker() : undefined;
  const { centralOver, downlinkOver } = await import('../../central-link/ways.ts');
  const guard = await guardOf();
  const ways = [...(overHttp ? [await makeHttp()] : []), ...(broker ? [broker.central] : [])];
  const central = await guarded(centralOver(ways, context.clock, random), guard);
  const files = config.link.bags === 'none' || !overHttp ? undefined : await makeFiles();
  return new LinkCell(context, {
    ...common,
    central,
    ...(renewal ? { renewal } : {}),
    ...(config.intents.central ? { orders: await makeOrders() } : {}),
    ...(files ? { files: files.lanes } : {}),
    ...(broker ? { broker: broker.status } : {}),
  });

  // They check what foreign hosts send, and need the schemas for it. They are loaded only where there is a central.
  async function makeHttp() {
    const { HttpCentral } = await import('../../central-link/http-central.ts');
    return new HttpCentral(options);
  }

  async function makeBroker() {
    const { composeBroker } = await import('./link-broker.ts');
    return composeBroker({ settings, clock: context.clock, identity, publicKey, random });
  }

  function openReader(cell: CellName) {
    return openEventReader(dataDir, cell);
  }

  async function makeFiles() {
    const { composeFiles } = await import('./link-files.ts');
    try {
      return composeFiles({ settings, context, options, guard, random });
    } catch (error) {
      // Events and orders need no book of files.
      context.report('error', 'no files go to central', { error: (error as Error).message });
      return undefined;
    }
  }

  async function makeOrders() {
    const [{ HttpDownlink }, { OrderDesk }, { OrderLoop }] = await Promise.all([
      import('../../central-link/http-downlink.ts'),
      import('../../central-link/order-desk.ts'),
      import('../../central-link/order-loop.ts'),
    ]);
    const { tenant, central_roles: roles } = config.intents;
    const fetches = files ? { fetches: files.fetches } : {};
    const desk = new OrderDesk({ bus: context.bus, clock: context.clock, tenant, roles, random, ...fetches });
    const downlinks = [
      ...(overHttp ? [new HttpDownlink(options)] : []),
      ...(broker ? [broker.downlink] : []),
    ];
    const downlink = downlinkOver(downlinks, context.clock, random);
    return new OrderLoop(context, { robot: config.daemon.name, downlink, desk, random });
  }
}

/** Loaded for the first export. */
async function makeDisk(
  settings: Settings,
  context: CellContext,
  guardOf: () => Promise<EgressGuard | undefined>,
): Promise<DiskDesk> {
  const { config, dataDir } = settings;
  const [{ composeDisk }, { linkIdentity }] = await Promise.all([
    import('./link-disk.ts'),
    import('../../central-link/link-identity.ts'),
  ]);
  const { key_file: keyFile } = config.link;
  const identity = linkIdentity(config.link, dataDir, process.env['CREDENTIALS_DIRECTORY']);
  const publicKey = keyFile === '' ? identity.receiptKey : () => readPem(keyFile, 'link.key_file');
  return composeDisk({ settings, context, identity, publicKey, guard: await guardOf() });
}

/** Policies on data that leaves. Those that are built in allow it: a robot without policies of its own pays nothing. */
async function egressGuard(
  { config, dataDir }: Settings,
  context: CellContext,
): Promise<EgressGuard | undefined> {
  const { dir, files } = config.policy;
  if (dir === '' && files.length === 0) return undefined;
  const [{ LastGoodPolicies, PolicyBook, readPolicySource }, { EgressGuard }] = await Promise.all([
    import('../../adapters/cedar/index.ts'),
    import('../../central-link/egress-guard.ts'),
  ]);
  const robot = config.daemon.name;
  const hook = await PolicyBook.open({
    ...{ robot, clock: context.clock },
    read: () => readPolicySource(dir, files),
    standing: ({ roles }) => ({ ok: true, roles }),
    // The runtime keeps them, and reports a fault.
    lastGood: {
      read: () =>
        new LastGoodPolicies(join(dataDir, 'policy', 'last-good.json'), { dir, files }, () => {}).read(),
      write: () => {},
    },
  });
  // The runtime says when they changed, and has reported their faults.
  context.bus.onBroadcast(TOPICS.policyChanged, () => void hook.reload().catch(() => {}));
  return new EgressGuard({ robot, hook, emit: (events) => context.emit(events) });
}

async function guarded(central: Central, guard: EgressGuard | undefined): Promise<Central> {
  if (!guard) return central;
  const { GuardedCentral } = await import('../../central-link/guarded-central.ts');
  return new GuardedCentral(central, guard);
}
