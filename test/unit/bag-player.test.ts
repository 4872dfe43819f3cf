import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import { BagPlayer, busSink, type PlayableBag } from '../../daemon/execution/bag-player.ts';

const OPTIONS = { path: 'a.mcap', rate: 1, loop: false, startS: 0, topics: [] };

describe('bag player', () => {
  it('plays one bag at a time, also when two are asked for at once, and the next after a failure', async () => {
    let opened = 0;
    const bag = {
      prepare: async () => {
        if (++opened === 1) throw new Error('unreadable');
      },
      begin: () => {},
      topics: () => [],
      choose: () => new Set<string>(),
      total: 1,
      startNs: 0n,
      endNs: 0n,
      positionNs: 0n,
      finished: new Promise(() => {}),
      close: async () => {},
    } as unknown as PlayableBag;
    const player = new BagPlayer({
      open: async () => bag,
      target: async () => ({
        sink: () =>
          busSink(
            () => {},
            () => {},
          ),
        reaches: 'nobody',
        settleMs: 0,
      }),
      pause: async () => {},
      every: () => ({ cancel: () => {} }),
    });
    await expect(player.start(OPTIONS)).rejects.toThrow('unreadable');
    const asked = await Promise.allSettled([player.start(OPTIONS), player.start(OPTIONS)]);
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(player.playing()).toBe(1);
  });

  it.each(['pipe.mcap', 'pipe.db3'])(
    'refuses a pipe that calls itself %s instead of waiting for it',
    async (name) => {
      const folder = mkdtempSync(join(tmpdir(), 'bag-player-'));
      const path = join(folder, name);
      execFileSync('mkfifo', [path]);
      try {
        await expect(openBag(path)).rejects.toMatchObject({ code: 'bag.malformed' });
        await expect(openBag(folder)).rejects.toMatchObject({ code: 'bag.malformed' });
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});
