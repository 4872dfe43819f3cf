import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { MqttBroker } from '../../adapters/mqtt/mqtt-broker.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const clock = new ManualClock();
const brokerAt = (port: number) =>
  new MqttBroker({
    ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'test', clock, random: () => 0.5, access: () => ({}) },
  });

it('a presence that cannot be signed is a reason why nothing is connected, and ends no process', async () => {
  const broker = brokerAt(1);
  broker.open({
    topics: [],
    onMessage: () => {},
    presence: () => {
      throw new Error('the certificate cannot be read');
    },
  });
  expect(broker.status()).toEqual({ connected: false, reason: 'the certificate cannot be read' });
  await broker.close();
});

it('a broker that never answers a subscription is left', async () => {
  const deaf = createServer((socket) => {
    socket.on('error', () => {});
    // CONNACK of MQTT 5, and not a word more.
    socket.once('data', () => socket.write(Buffer.from([0x20, 0x03, 0x00, 0x00, 0x00])));
  });
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const broker = brokerAt((deaf.address() as { port: number }).port);
  broker.open({ topics: ['a'], onMessage: () => {} });
  await expect
    .poll(() => {
      clock.advance(1_000);
      return broker.status().reason;
    })
    .toBe('the broker does not answer a subscription');
  await Promise.all([broker.close(), new Promise((resolve) => deaf.close(resolve))]);
});
