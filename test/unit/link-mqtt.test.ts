import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { Authority, certificatesOf, fingerprintOf } from '../../central/authority.ts';
import { Coordinator } from '../../central/coordinator.ts';
import { Enrolment } from '../../central/enrolment.ts';
import { IdentityRows } from '../../central/identity-rows.ts';
import { LaneStore } from '../../central/lane-store.ts';
import { MqttDesk } from '../../central/mqtt-desk.ts';
import { OrderQueue } from '../../central/order-queue.ts';
import { OrderStore } from '../../central/order-store.ts';
import { PresenceRows } from '../../central/presence-rows.ts';
import { ReceiptSigner } from '../../central/receipt-signer.ts';
import { RobotSignature } from '../../central/robot-signature.ts';
import { signText } from '../../central-link/disk-identity.ts';
import { MqttCentral } from '../../central-link/mqtt-central.ts';
import { MqttLine } from '../../central-link/mqtt-line.ts';
import { ReceiptKeys } from '../../central-link/receipt-keys.ts';
import { centralOver } from '../../central-link/ways.ts';
import {
  type Central,
  IdSource,
  mqttAnswerChecker,
  mqttAnswerText,
  mqttAskChecker,
  mqttAskText,
  mqttPresenceChecker,
  mqttPresenceText,
  mqttTopic,
  toMs,
} from '../../contract/index.ts';
import { brokerConformance } from '../conformance/broker.ts';
import { centralConformance } from '../conformance/central.ts';
import { TinyBroker } from '../support/tiny-broker.ts';
import { TinyLog } from '../support/tiny-log.ts';

const clock = new SystemClock();
const ids = new IdSource(
  () => toMs(clock.now()),
  (length) => randomBytes(length),
);
const newId = () => ids.next<string>();

/** A coordinator behind a broker in this process, and robots that it enrolled. */
async function rig() {
  const dir = mkdtempSync(join(tmpdir(), 'mqtt-'));
  const authority = await Authority.open(new FileSecrets(dir, 'test'), clock);
  const identities = new IdentityRows(join(dir, 'identities.db'), () => clock.now());
  const signer = new ReceiptSigner(ReceiptSigner.newKey());
  const store = new LaneStore(join(dir, 'central.db'), () => clock.now());
  const orderStore = new OrderStore(join(dir, 'orders.db'));
  const orders = new OrderQueue(orderStore, signer, clock, (length) => Buffer.alloc(length, 7));
  const presence = new PresenceRows(join(dir, 'presence.db'), () => clock.now());
  const coordinator = new Coordinator(store, signer);
  const enrolment = new Enrolment({
    ...{
      rows: identities,
      authority,
      authorities: authority.bundle,
      receiptKey: signer.key.public_key,
      clock,
    },
  });
  const broker = new TinyBroker();
  const desk = new MqttDesk({
    ...{ broker: broker.client(), coordinator, orders, presence, signer, report: () => {} },
    signature: new RobotSignature({ enrolment, anchors: certificatesOf(authority.bundle), clock }),
  });
  const robot = async (name: string) => {
    const { privateKey: key, publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const certificate = await authority.issueRobot(name, pem, 3_600_000);
    identities.addToken(`secret-${name}`, name, 60_000);
    identities.add(
      {
        ...{ robot: name, public_key: pem, certificate, fingerprint: fingerprintOf(certificate) },
        not_after_ns: `${clock.now() + 3_600_000_000_000n}`,
      },
      { secret: `secret-${name}` },
    );
    const keys = new ReceiptKeys(signer.key.public_key, async () => undefined);
    const client = broker.client();
    const line = new MqttLine({
      ...{ robot: name, broker: client, clock, keys, newId },
      identity: () => ({ certificate: new X509Certificate(certificate).toString(), key }),
    });
    expect(createPublicKey(key).asymmetricKeyType).toBe('ed25519');
    return { central: new MqttCentral(line, keys), line, client };
  };
  const end = async () => {
    await desk.close();
    for (const one of [store, orderStore, presence, identities]) one.close();
    rmSync(dir, { recursive: true });
  };
  return { broker, desk, robot, orders, presence, coordinator, end };
}

brokerConformance('in this process', async () => {
  const broker = new TinyBroker();
  type Client = ReturnType<TinyBroker['client']>;
  return {
    patienceMs: 1_000,
    client: () => broker.client(),
    cut: (client) => (client as Client).cut(),
    end: async () => {},
  };
});

centralConformance('through a broker', async () => {
  const { robot, end } = await rig();
  const made = new Map([
    ['tb1', await robot('tb1')],
    ['tb2', await robot('tb2')],
  ]);
  const of = (name: string) => made.get(name)!.central;
  const central: Central = {
    watermark: (name, ...where) => of(name).watermark(name, ...where),
    push: (batch) => of(batch.robot).push(batch),
    close: async () => {
      for (const one of made.values()) await one.central.close();
    },
  };
  return {
    central,
    async end() {
      await central.close();
      await end();
    },
  };
});

const batch = (robot: string) => {
  const { events } = new TinyLog('runtime').fill(5);
  return { robot, epoch: events[0]!.event_id, lane: 'events.runtime', events };
};

it('messages of a client that is not the robot are refused and counted, and so is what is sent again', async () => {
  const { broker, desk, robot, coordinator, end } = await rig();
  const [one, other] = [await robot('tb1'), await robot('tb2')];
  await one.central.push(batch('tb1'));
  const [ask] = broker.log.filter(({ topic }) => topic === mqttTopic('tb1', 'events'));
  const [answer] = broker.log.filter(({ topic }) => topic === mqttTopic('tb1', 'receipts'));
  const text = Buffer.from(ask!.payload).toString();
  broker.publish({ topic: mqttTopic('tb2', 'events'), payload: ask!.payload });
  broker.publish({ ...ask!, payload: Buffer.from(text.replace('"tick"', '"tock"').replace('"p', '"q')) });
  broker.publish({ ...ask!, payload: Buffer.from('{') });
  await expect.poll(() => desk.refused).toBeGreaterThanOrEqual(2);
  broker.publish(answer!);
  await expect.poll(() => one.line.refused).toBe(1);
  // The events of another robot are not taken with a right signature either.
  await expect(other.central.push(batch('tb1'))).rejects.toMatchObject({ code: 'api.unauthorised' });
  expect(coordinator.robots().robots).toMatchObject([{ robot: 'tb1', lanes: [{ seq: 5 }] }]);
  await Promise.all([one.central.close(), other.central.close()]);
  await end();
});

it('presence follows the last will, and an older one that is sent again changes nothing', async () => {
  const { broker, presence, desk, robot, end } = await rig();
  const { client, central } = await robot('tb1');
  await expect.poll(() => presence.list()).toMatchObject([{ robot: 'tb1', state: 'online' }]);
  const [online] = broker.log.filter(({ topic }) => topic === mqttTopic('tb1', 'presence'));
  client.cut();
  await expect.poll(() => presence.list()).toMatchObject([{ robot: 'tb1', state: 'offline' }]);
  broker.publish(online!);
  await expect.poll(() => desk.refused).toBe(1);
  expect(presence.list()).toMatchObject([{ state: 'offline' }]);
  await central.close();
  await end();
});

it('an order comes through the broker, and is not listed again after its report', async () => {
  const { robot, orders, broker, end } = await rig();
  const { central, line } = await robot('tb1');
  const waiting = central.orders('tb1', 5_000);
  await expect.poll(() => broker.log.some(({ topic }) => topic.endsWith('/reports'))).toBe(true);
  const posted = orders.post({ robot: 'tb1', kind: 'cancel', body: { order_id: newId() } });
  const found = await waiting;
  expect(found.orders).toMatchObject([{ order_id: posted.order_id }]);
  await central.report('tb1', [{ order_id: posted.order_id, state: 'finished', status: 'done', reason: '' }]);
  expect((await central.orders('tb1', 0)).orders).toEqual([]);
  // The signed answer with the order is sent again: it answers no question that is open.
  const again = broker.log.find(({ topic }) => topic === mqttTopic('tb1', 'commands'))!;
  broker.publish(again);
  await expect.poll(() => line.refused).toBe(1);
  await central.close();
  await end();
});

it('where the broker is gone the other way is taken, with one cursor', async () => {
  const { robot, coordinator, end } = await rig();
  const mqtt = await robot('tb1');
  // Another way, which the broker has no part in.
  const other: Central = {
    watermark: async () => undefined,
    push: async (some) => coordinator.push(some),
    close: async () => {},
  };
  const all = centralOver([mqtt.central, other], clock, () => 0);
  const { events, ...lane } = batch('tb1');
  await all.push({ ...lane, events: events.slice(0, 3) });
  mqtt.client.cut();
  expect((await all.push({ ...lane, events })).seq).toBe(5);
  expect(coordinator.robots().robots).toMatchObject([{ lanes: [{ seq: 5 }] }]);
  await all.close();
  await end();
});

it('what is signed is the text that another program made of the same values', () => {
  const file = join(import.meta.dirname, '../../contract/vectors/link-v2.json');
  const { mqtt, key } = JSON.parse(readFileSync(file, 'utf8'));
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const secret = createPrivateKey({
    ...{ key: Buffer.concat([prefix, Buffer.from(key.secret, 'hex')]), format: 'der', type: 'pkcs8' },
  });
  for (const [{ value, text, signature }, textOf, checker] of [
    [mqtt.ask, mqttAskText, mqttAskChecker],
    [mqtt.answer, mqttAnswerText, mqttAnswerChecker],
    [mqtt.presence, mqttPresenceText, mqttPresenceChecker],
  ]) {
    expect(textOf(value)).toBe(text);
    expect(signText(secret, text)).toBe(signature);
    expect(checker.fault({ ...value, signature })).toBeUndefined();
  }
});
