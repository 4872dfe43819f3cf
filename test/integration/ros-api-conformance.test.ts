import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost } from '../../adapters/ros/index.ts';
import { testRosApi } from '../conformance/ros-api.ts';
import { rosEnvironment } from '../peers/ros-peer.ts';

const clock = new SystemClock();

testRosApi('rclnodejs, two host processes', async () => {
  const env = rosEnvironment();
  const report = (level: string, message: string) => {
    if (level !== 'info') process.stderr.write(`ros: ${message}\n`);
  };
  const left = new RosHost({ env, node: 'left', report }, clock);
  const right = new RosHost({ env, node: 'right', report }, clock);
  await Promise.all([left.start(left), right.start(right)]);
  return {
    left: left.api,
    right: right.api,
    close: async () => {
      await Promise.all([left.release(left), right.release(right)]);
    },
  };
});
