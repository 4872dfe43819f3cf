import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { request, type ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { startRig, TOKEN } from '../support/http-rig.ts';

it('a caller who hangs up while the policies are asked moves nothing', async () => {
  let isJudging = () => {};
  const judging = new Promise<void>((resolve) => {
    isJudging = resolve;
  });
  let judged = () => {};
  const verdict = new Promise<void>((resolve) => {
    judged = resolve;
  });
  const asked: string[] = [];
  const rig = await startRig(
    {},
    {
      judgeMotion: async () => {
        isJudging();
        await verdict;
      },
    },
  );
  for (const method of ['robot.maneuver', 'robot.cancel'])
    rig.answers.set(method, async () => {
      asked.push(method);
      return {};
    });
  try {
    const closed = new Promise<void>((resolve) => {
      const began = (message: unknown) => {
        unsubscribe('http.server.request.start', began);
        (message as { response: ServerResponse }).response.once('close', resolve);
      };
      subscribe('http.server.request.start', began);
    });
    const caller = request(`${rig.url}/v1/robot/maneuver`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    });
    caller.on('error', () => {});
    caller.end(JSON.stringify({ kind: 'drive', distance_m: 0.3 }));
    await judging;
    caller.destroy();
    await closed;
    judged();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toEqual([]);
  } finally {
    await rig.stop();
  }
});
