import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freshDir, testDaemon, until } from '../support/daemon.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohRosPeer } from '../support/zenoh-ros-peer.ts';

/** A ROS node that is not ours (Python, zenoh-ros2-sdk) asks the daemon by our action; no ROS is installed anywhere. */
const DOMAIN = 19;
const closing: (() => Promise<unknown>)[] = [];
let directory: ReturnType<typeof freshDir>;
beforeEach(() => {
  directory = freshDir('daemon-intents-ros-zenoh');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

it('a goal of a node on rmw_zenoh is a run: refused with words, canceled with its run', async () => {
  const port = await freePort();
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    `[robot]\nsource = "ros_zenoh"\n[zenoh]\nmode = "router"\nlisten = ["tcp/127.0.0.1:${port}"]\n[ros]\ndomain_id = ${DOMAIN}\n`,
  );
  const daemon = await testDaemon(join(directory.path, 'data'), {
    AURAISON_CONFIG: config,
    AURAISON_ZENOH_ENABLED: 'true',
  });
  closing.push(() => daemon.stop());
  await until(
    async () => {
      const { zenoh } = await daemon.status();
      return zenoh.available && zenoh.connected;
    },
    'the router is open',
    90_000,
  );
  const node = new ZenohRosPeer('asker', port, DOMAIN);
  closing.push(() => node.kill());
  await node.until((line) => 'done' in line, 120_000);
  expect(node.lines.filter((line) => 'accepted' in line)).toEqual([{ accepted: true }, { accepted: true }]);
  const [refused, canceled] = node.lines.filter((line) => 'ended' in line);
  // 6 and 5: aborted and canceled, by action_msgs/GoalStatus.
  expect(refused).toMatchObject({ ended: 'refused', status: 6, code: 'schema.invalid', run: '' });
  expect(canceled).toMatchObject({
    ended: 'cancelled',
    status: 5,
    reason: 'the client canceled its ROS goal',
  });
  expect(node.lines).toContainEqual({ canceling: 1 });
  expect(node.lines).toContainEqual({ feedback: 'running', run: canceled!['run'] });
  expect(await daemon.api.get(`/v1/runs/${String(canceled!['run'])}`)).toMatchObject({
    intent: { priority: 7, policy_ctx: { origin: 'ros' } },
  });
}, 240_000);
