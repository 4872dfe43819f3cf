import { Server, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { connectLeRobot } from '../../adapters/lerobot/connect.ts';
import { TRANSPORT_SERVICE } from '../../adapters/lerobot/transport.ts';
import type { Policy } from '../../contract/core.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { clock, eventually } from '../support/lerobot-rig.ts';

let server: Server | undefined;
let policy: Policy | undefined;
afterEach(async () => {
  await policy?.close();
  server?.forceShutdown();
});

it('a reset is answered soon while a stock server loads its policy, which it is asked for once', async () => {
  let instructed = 0;
  let loaded = () => {};
  const unary = (_call: unknown, reply: sendUnaryData<object>) => reply(null, {});
  const made = new Server();
  server = made;
  made.addService(TRANSPORT_SERVICE, {
    Ready: unary,
    SendPolicyInstructions: (_call: unknown, reply: sendUnaryData<object>) => {
      instructed++;
      loaded = () => reply(null, {});
    },
    GetActions: unary,
    SendObservations: unary,
  });
  const port = await new Promise<number>((resolve, reject) =>
    made.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  policy = await connectLeRobot({
    url: `127.0.0.1:${port}`,
    policy: 'act:any',
    token: undefined,
    connectMs: 5_000,
    card: { description: new HashPolicy().describe(), keys: {} },
    clock,
  });
  for (let i = 0; i < 2; i++)
    await expect(policy.reset!()).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/not ready yet, and may be loading its policy/),
    });
  loaded();
  await eventually(() => policy!.reset!());
  expect(instructed).toBe(1);
}, 30_000);
