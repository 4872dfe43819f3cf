import { afterEach, expect, it, vi } from 'vitest';
import { Connections } from '../../daemon/http/connections.ts';
import { type Rig, RUN_ID, startRig } from '../support/http-rig.ts';

let rig: Rig;
afterEach(async () => {
  vi.restoreAllMocks();
  await rig.stop();
});

it('takes an order to stop in words, by every way in, although other clients hold all places', async () => {
  const any = {} as never;
  rig = await startRig({}, { control: any });
  vi.spyOn(Connections.prototype, 'known').mockReturnValue(false);
  const ways: [string, (said: string) => object][] = [
    ['/v1/ask', (words) => ({ words })],
    ['/v1/intents', (words) => ({ type: 'robot/chat', params: { words } })],
    ['/v1/sessions', (text) => ({ text })],
    [`/v1/sessions/${RUN_ID}/steer`, (text) => ({ text })],
    [`/v1/runs/${RUN_ID}/messages`, (text) => ({ kind: 'steer', text })],
    [`/v1/runs/${RUN_ID}/fork`, (text) => ({ entry_id: RUN_ID, text })],
  ];
  for (const [path, said] of ways) {
    const refused = async (words: string) => {
      const reply = await rig.post(path, said(words));
      return reply.status === 503 && JSON.stringify(await reply.json()).includes('connections');
    };
    expect([path, await refused('Stop!'), await refused('go on')]).toEqual([path, false, true]);
  }
});
