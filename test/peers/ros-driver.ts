/** A process that drives through adapters/ros until it is killed, which is what the test is about. */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSink } from '../../adapters/ros/index.ts';
import { encodeVelocity } from '../../adapters/ros/messages.ts';
import { DEFAULT_QOS } from '../../contract/index.ts';
import { TWIST } from '../../formats/cdr/index.ts';

const clock = new SystemClock();
const sink = new RosSink(new RosHost({ node: 'driver' }, clock));
await sink.advertise({ topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS });
clock.every(50, () => {
  const now = clock.now();
  const bytes = encodeVelocity(TWIST, { linear: 0.2, angular: 0 }, now);
  sink.offer({ topic: '/cmd_vel', type: TWIST, stamp: now, received: now, bytes });
});
