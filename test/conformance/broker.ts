import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Broker, BrokerMessage, BrokerPlan } from '../../contract/index.ts';

export type BrokerUnderTest = {
  /** Another client of the same broker. */
  client(): Broker;
  /** Breaks the connection of this client, as a killed process does. */
  cut(client: Broker): void;
  /** How long the broker may take for anything, milliseconds. */
  readonly patienceMs: number;
  end(): Promise<void>;
};

const text = ({ payload }: BrokerMessage) => Buffer.from(payload).toString();
const bytes = (value: string) => Buffer.from(value);

/** What every way to a broker promises, in whatever implementation. */
export function brokerConformance(name: string, make: () => Promise<BrokerUnderTest>): void {
  describe(`Broker: ${name}`, () => {
    let rig: BrokerUnderTest;
    beforeEach(async () => {
      rig = await make();
    });
    afterEach(() => rig.end());

    /** A client that is connected, and what it heard. */
    async function opened(topics: readonly string[], presence?: BrokerPlan['presence']) {
      const client = rig.client();
      const heard: BrokerMessage[] = [];
      client.open({
        topics,
        onMessage: (message) => void heard.push(message),
        ...(presence ? { presence } : {}),
      });
      await soon(() => expect(client.status()).toEqual({ connected: true, reason: '' }));
      return { client, heard };
    }
    const soon = (check: () => void) => vi.waitFor(check, { timeout: rig.patienceMs, interval: 20 });
    const robots = ['r1', 'r2'].map((robot) => (n: number) => ({
      ...{ will: { topic: `a/${robot}/presence`, payload: bytes(`gone ${n}`), retain: true } },
      hello: { topic: `a/${robot}/presence`, payload: bytes(`here ${n}`), retain: true },
    }));

    it('hands a message to who subscribed to its topic, and to no other', async () => {
      const one = await opened(['a/+/events']);
      const other = await opened(['a/r1/receipts']);
      await other.client.publish({ topic: 'a/r1/events', payload: bytes('1') });
      await other.client.publish({ topic: 'a/r2/events', payload: bytes('2'), expiryMs: 5_000 });
      await other.client.publish({ topic: 'a/r1/b/events', payload: bytes('3') });
      await soon(() => expect(one.heard.map(text)).toEqual(['1', '2']));
      expect(one.heard.map(({ topic }) => topic)).toEqual(['a/r1/events', 'a/r2/events']);
      expect(other.heard).toEqual([]);
      for (const { client } of [one, other]) await client.close();
    });

    it('says who is there to those who come later, and who is gone without a word', async () => {
      let n = 0;
      const robot = await opened([], () => {
        n += 1;
        return robots[0]!(n);
      });
      const early = await opened(['a/+/presence']);
      await soon(() => expect(early.heard.map(text)).toEqual(['here 1']));
      rig.cut(robot.client);
      await soon(() => expect(early.heard.map(text)).toContain('gone 1'));
      const late = await opened(['a/+/presence']);
      await soon(() => expect(late.heard.map(text).at(-1)).toMatch(/gone 1|here 2/));
      for (const { client } of [robot, early, late]) await client.close();
    });

    it('says so too when a client leaves in order', async () => {
      const early = await opened(['a/+/presence']);
      const robot = await opened([], () => robots[1]!(1));
      await robot.client.close();
      await soon(() => expect(early.heard.map(text)).toEqual(['here 1', 'gone 1']));
      expect(robot.client.status()).toMatchObject({ connected: false });
      await early.client.close();
    });

    it('takes nothing from a client that was closed', async () => {
      const { client } = await opened([]);
      await client.close();
      await client.close();
      await expect(client.publish({ topic: 'a/b', payload: bytes('1') })).rejects.toMatchObject({
        code: 'link.unreachable',
      });
    });
  });
}
