import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';

/** The stop of the robot from any place of a page, without a page. */
vi.stubGlobal('sessionStorage', { getItem: () => 'token' });
vi.stubGlobal('document', { hidden: false });
afterAll(() => void vi.unstubAllGlobals());
const { robotStop } = await import(
  join(import.meta.dirname, '..', '..', 'console', 'src', 'lib', 'robot-stop.ts')
);

it.each([
  ['a robot that stands', async () => Response.json({ result: { confirmed: true } }), /^stopped at/, 'ok'],
  [
    'a robot that was not confirmed to stand',
    async () => Response.json({ result: { confirmed: false } }),
    /NOT CONFIRMED that the robot stands/,
    'bad',
  ],
  ['a refusal', async () => Response.json({}, { status: 403 }), /^NOT STOPPED/, 'bad'],
  [
    'a token that is not valid',
    async () => Response.json({}, { status: 401 }),
    /^NOT STOPPED at .*the token is not valid: give a token, or use the button of the robot itself$/,
    'bad',
  ],
  ['no daemon', async () => Promise.reject(new Error('connection refused')), /^NOT STOPPED at/, 'bad'],
])('shows what became of it: %s', async (_, answer, words, look) => {
  vi.stubGlobal('fetch', answer);
  const seen: string[] = [];
  const end = robotStop.watch(() => seen.push(robotStop.note().text));
  await robotStop.give();
  end();
  // Where nothing answers it is tried again for a while.
  expect([seen[0], seen.at(-1)]).toEqual(['stopping', expect.stringMatching(words)]);
  expect(robotStop.note().look).toBe(look);
});
