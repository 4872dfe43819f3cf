import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Authority, certificatesOf, fingerprintOf } from '../../../../central/authority.ts';
import { Coordinator } from '../../../../central/coordinator.ts';
import { Enrolment } from '../../../../central/enrolment.ts';
import { IdentityRows } from '../../../../central/identity-rows.ts';
import { LaneStore } from '../../../../central/lane-store.ts';
import { MqttDesk } from '../../../../central/mqtt-desk.ts';
import { OrderQueue } from '../../../../central/order-queue.ts';
import { OrderStore } from '../../../../central/order-store.ts';
import { PresenceRows } from '../../../../central/presence-rows.ts';
import { ReceiptSigner } from '../../../../central/receipt-signer.ts';
import { RobotSignature } from '../../../../central/robot-signature.ts';
import { MqttCentral } from '../../../../central-link/mqtt-central.ts';
import { MqttLine } from '../../../../central-link/mqtt-line.ts';
import { OrderDesk } from '../../../../central-link/order-desk.ts';
import { OrderLoop } from '../../../../central-link/order-loop.ts';
import { ReceiptKeys } from '../../../../central-link/receipt-keys.ts';
import type { Broker, BrokerMessage, CellContext, Clock, Secrets } from '../../../../contract/index.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { TinyBroker } from '../../tiny-broker.ts';
import type { VirtualDaemon } from './daemon.ts';
import { VirtualProcess } from './process.ts';
import type { VirtualRuntime } from './runtime.ts';

const ROBOT = 'r1';
const MEMORY = ':memory:';
/** Longer than any trial. */
const VALID_MS = 24 * 3_600_000;

/** Keys and certificates of central and of the robot: made once in a process, since clocks of trials begin at one time. */
type Papers = {
  readonly authority: Authority;
  readonly certificate: string;
  readonly publicKey: string;
  readonly key: KeyObject;
  readonly signer: ReceiptSigner;
};
let papers: Promise<Papers> | undefined;

async function made(): Promise<Papers> {
  const clock = new ManualClock();
  const kept = new Map<string, string>();
  const secrets = {
    read: async (name: string) => kept.get(name),
    readOrCreate: async (name: string, make: () => string) => {
      const text = kept.get(name) ?? make();
      kept.set(name, text);
      return text;
    },
  } as unknown as Secrets;
  const authority = await Authority.open(secrets, clock);
  const pair = generateKeyPairSync('ed25519');
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const certificate = await authority.issueRobot(ROBOT, publicKey, VALID_MS);
  const key = createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { authority, certificate, publicKey, key, signer: new ReceiptSigner(ReceiptSigner.newKey()) };
}

/** A broker between two machines. While it holds, what is published stays with it. */
class HoldingBroker {
  readonly #broker = new TinyBroker();
  #held: (() => void)[] | undefined;

  /** What this process hears of it comes as mail does. */
  client(process: VirtualProcess): Broker {
    const client = this.#broker.client();
    return {
      ...client,
      open: (plan) =>
        client.open({
          ...plan,
          onMessage: (message) => this.#pass(() => process.deliver(() => plan.onMessage(message))),
        }),
    };
  }

  hold(): void {
    this.#held ??= [];
  }

  /** What it held, and then all that it ever heard. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const pass of held) pass();
    this.again();
  }

  again(order: (log: readonly BrokerMessage[]) => readonly BrokerMessage[] = (log) => log): void {
    for (const message of order([...this.#broker.log])) this.#broker.publish(message);
  }

  #pass(deliver: () => void): void {
    if (this.#held) this.#held.push(deliver);
    else deliver();
  }
}

/** Central and the link of the robot, with nothing between them but a broker of MQTT. */
export class BrokerCentral {
  readonly broker: HoldingBroker;
  readonly #orders: OrderQueue;

  static async open(daemon: VirtualDaemon, { ids }: VirtualRuntime): Promise<BrokerCentral> {
    papers ??= made();
    return new BrokerCentral(daemon, ids, await papers);
  }

  private constructor(daemon: VirtualDaemon, ids: VirtualRuntime['ids'], papers: Papers) {
    const { host } = daemon;
    this.broker = new HoldingBroker();
    this.#orders = this.#central(new VirtualProcess('central', host), papers, daemon);
    this.#link(daemon, ids, papers);
  }

  /** Another order, unless one still waits for the robot. */
  settle(to: number): void {
    const { orders } = this.#orders.list(new URLSearchParams({ robot: ROBOT }));
    if (!orders.some(({ state }) => state === 'queued')) this.post(to);
  }

  post(to: number): void {
    const body = { type: 'pushed/go', params: { to } };
    this.#orders.post({ robot: ROBOT, kind: 'intent', body }, 'tower');
  }

  #central(process: VirtualProcess, papers: Papers, daemon: VirtualDaemon): OrderQueue {
    const { authority, certificate, publicKey, signer } = papers;
    const now = () => process.now();
    const identities = new IdentityRows(MEMORY, now);
    identities.addToken('secret', ROBOT, VALID_MS);
    identities.add(
      {
        ...{ robot: ROBOT, public_key: publicKey, certificate, fingerprint: fingerprintOf(certificate) },
        not_after_ns: String(process.now() + BigInt(VALID_MS) * 1_000_000n),
      },
      { secret: 'secret' },
    );
    const lanes = new LaneStore(MEMORY, now);
    const store = new OrderStore(MEMORY);
    const presence = new PresenceRows(MEMORY, now);
    let drawn = 0;
    const orders = new OrderQueue(store, signer, process, (length) => Buffer.alloc(length, ++drawn));
    const { bundle: authorities } = authority;
    const receiptKey = signer.key.public_key;
    const enrolment = new Enrolment({ rows: identities, authority, authorities, receiptKey, clock: process });
    const signature = { enrolment, anchors: certificatesOf(authorities), clock: process };
    new MqttDesk({
      ...{ broker: this.broker.client(process), coordinator: new Coordinator(lanes, signer), orders },
      ...{ presence, signer, signature: new RobotSignature(signature), report: () => {} },
    });
    daemon.supervisor.onKill(() => {
      for (const one of [identities, lanes, store, presence]) one.close();
    });
    return orders;
  }

  /** In the cell of the link, as `daemon/compose/link.ts` makes it where a broker is the only way. */
  #link(daemon: VirtualDaemon, ids: VirtualRuntime['ids'], { certificate, key, signer }: Papers): void {
    const clock = new VirtualProcess('link', daemon.host);
    const keys = new ReceiptKeys(signer.key.public_key, async () => undefined);
    const line = new MqttLine({
      ...{ robot: ROBOT, broker: this.broker.client(clock), clock, keys },
      ...{ identity: () => ({ certificate, key }), newId: () => ids.next<string>() },
    });
    const bus = daemon.star.join('link', clock);
    const random = () => 0.5;
    const desk = new OrderDesk({ bus, clock, tenant: 'local', roles: ['operator'], random });
    const context = { clock: clock as Clock, report: () => {} } as unknown as CellContext;
    const downlink = new MqttCentral(line, keys);
    new OrderLoop(context, { robot: ROBOT, downlink, desk, random }).start();
  }
}
