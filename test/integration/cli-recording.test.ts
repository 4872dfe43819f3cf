import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { EpisodeInfo, RouteStatus, SegmentInfo } from '../../contract/index.ts';
import { auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { foreignView, readersPython } from '../support/readers.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** Episodes, routes, recording and playing as a person types them: simulated robot, real Zenoh subscriber. */
let directory: ReturnType<typeof freshDir>;
let daemon: TestDaemon;
let puppet: ZenohPeer;

beforeAll(() => {
  readersPython();
}, 15 * 60_000);
// Anew for a second try, too.
beforeEach(async () => {
  directory = freshDir('cli-recording');
  const config = join(directory.path, 'robot.toml');
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  writeFileSync(
    config,
    '[[routes]]\nname = "odometry"\nfrom = "bus:/odom"\nto = "zenoh:fleet/{robot}/odom"\nkeep_every = 5\n',
  );
  daemon = await testDaemon(join(directory.path, 'data'), {
    AURAISON_CONFIG: config,
    AURAISON_RECORDER_MODE: 'episode',
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'router',
    AURAISON_ZENOH_LISTEN: endpoint,
    // It is heard while it stands, too.
    AURAISON_SIM_PACE: 'realtime',
    AURAISON_SIM_SPEED: '2',
    AURAISON_SIM_WIDTH: '4',
    AURAISON_SIM_HEIGHT: '4',
  });
  await until(
    async () => {
      const { zenoh } = await daemon.status();
      return zenoh.available && zenoh.connected;
    },
    'the key space is open',
    90_000,
  );
  puppet = new ZenohPeer('zenoh_puppet.py', endpoint, '{}');
  await puppet.until((line) => line['open'] === true);
}, 180_000);
afterEach(async () => {
  await puppet?.kill();
  await daemon?.stop();
  directory.remove();
});

async function json<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await auraisonAsync([...args, '--json', '--data-dir', daemon.dataDir]);
  expect(`${args.join(' ')}: ${status} ${status === 0 ? '' : stderr + stdout}`).toBe(`${args.join(' ')}: 0 `);
  return JSON.parse(stdout) as T;
}

const bagOf = ({ bag }: EpisodeInfo) => join(daemon.dataDir, 'bags', bag);

it('an episode is begun, ended, named anew, played into Zenoh; another is thrown away', {
  timeout: 180_000,
}, async () => {
  await puppet.order({ sub: 'fleet/robot/odom' });
  await puppet.order({ digest: 'replay/**' });

  const begun = await json<EpisodeInfo>('episode', 'start', '--label', 'door');
  expect(begun).toMatchObject({ state: 'recording', label: 'door' });
  // A piece of what is recorded, one topic of it, under a name of its own.
  const piece = join(directory.path, 'piece.mcap');
  const size = ['--max-size', '60KB', '--duration', '60'];
  const { messages } = await json<{ messages: number }>(
    ...['bag', 'record', ...size, '--output', piece, '--topics', '/odom'],
  );
  const cut = await foreignView('mcap', piece);
  expect(Object.keys(cut.topics)).toEqual(['/odom']);
  expect(cut.topics['/odom']!.count).toBe(messages);
  expect(messages).toBeGreaterThan(1);
  const { segments } = await json<{ segments: SegmentInfo[] }>('bag', 'record', ...size);
  const written = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(written).toBeGreaterThanOrEqual(60_000);
  const both = await auraisonAsync(
    ['episode', 'stop', '--success', '--failure', '--data-dir', daemon.dataDir],
    {},
  );
  expect([both.status, both.stderr]).toEqual([1, expect.stringContaining('not both')]);
  const ended = await json<EpisodeInfo>('episode', 'stop', '--success');
  expect(ended).toMatchObject({ episode_id: begun.episode_id, state: 'whole', label: 'door', success: true });

  const again = await json<EpisodeInfo>(
    'episode',
    'relabel',
    begun.episode_id,
    '--label',
    'gate',
    '--failure',
  );
  expect(again).toMatchObject({ label: 'gate', success: false });
  const doomed = await json<EpisodeInfo>('episode', 'start');
  expect((await json<EpisodeInfo[]>('episode', 'list')).map(({ state }) => state)).toEqual([
    'whole',
    'recording',
  ]);
  await json('episode', 'discard', '--reason', 'it fell over');
  expect(await json<EpisodeInfo[]>('episode', 'list')).toEqual([again]);
  const gone = await auraisonAsync(['episode', 'relabel', doomed.episode_id, '--data-dir', daemon.dataDir]);
  expect(gone.status).toBe(1);

  // Foreign readers find what the episode says that it holds.
  const recorded = await foreignView('mcap', bagOf(ended));
  const counts = Object.values(recorded.topics).map(({ count }) => count);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(ended.messages);
  const clock = recorded.metadata!.find(({ name }) => name === 'auraison.clock');
  expect(clock?.metadata).toMatchObject({ source: 'simulation', synchronised: 'true' });

  const played = await json<{ state: string; published: number }>(
    ...['bag', 'play', bagOf(ended), '--to', 'zenoh', '--prefix', 'replay', '--rate', '20'],
    ...['--topics', '/scan', '/odom', '--delay', '1'],
  );
  expect(played.state).toBe('finished');
  for (const topic of ['/scan', '/odom']) {
    const { count, sha256 } = recorded.topics[topic]!;
    const { type } = recorded.schemas![topic]!;
    const last = await puppet.until((line) => line['key'] === `replay${topic}` && line['count'] === count);
    expect(last).toMatchObject({ sha256, encoding: `application/cdr;${type}` });
  }
  expect(played.published).toBe(recorded.topics['/scan']!.count + recorded.topics['/odom']!.count);

  // The route had its share all the while.
  const { routes, ledger } = await json<{ routes: RouteStatus[]; ledger: Record<string, unknown>[] }>(
    'routes',
  );
  expect(routes).toEqual([expect.objectContaining({ name: 'odometry', state: 'up', topics: 1 })]);
  const heard = puppet.lines.filter((line) => line['key'] === 'fleet/robot/odom').length;
  expect(heard).toBeGreaterThan(5);
  expect(routes[0]!.messages).toBeGreaterThanOrEqual(heard - 1);
  expect(ledger).toContainEqual(expect.objectContaining({ topic: '/odom', forwarded: expect.any(Number) }));
  const seen = await auraisonAsync(['routes', '--data-dir', daemon.dataDir]);
  expect(seen.stdout).toMatch(/odometry +up +bus:\/odom -> zenoh:/);
});
