import { endpointOf } from '../../daemon/client/api-client.ts';
import { foxgloveDriver, liveDriver, rosbridgeDriver } from './attached-drivers.ts';
import { until } from './daemon.ts';
import { type ForbiddenRobot, wait } from './forbidden-robot.ts';
import type { Way } from './ways-to-move.ts';

/** Ports on which Foxglove and rosbridge clients attach. */
export type Attached = { readonly Foxglove: number; readonly rosbridge: number };

const DRIVERS = { Foxglove: foxgloveDriver, rosbridge: rosbridgeDriver, live: liveDriver } as const;
export const ATTACHED = ['Foxglove', 'rosbridge', 'live'] as const;

/** A stock client asks for the lease, then sends velocities without one: both are refused. */
export async function driveAttached(
  name: (typeof ATTACHED)[number],
  robot: ForbiddenRobot,
  ports: Attached,
  tried: Set<Way>,
): Promise<void> {
  const { url, token } = endpointOf(robot.daemon.settings, '/');
  const client = await DRIVERS[name]({ ...ports, live: Number(url.port) }[name], token!);
  try {
    tried.add(`${name}: lease of a client`);
    await robot.stands(`${name}: lease of a client`, () => client.takeLease());
    tried.add(`${name}: velocity of a client`);
    for (let i = 0; i < 20; i++) {
      client.publish(0.3);
      await wait(50);
    }
    await until(() => client.told().some((message) => message.includes('lease.')), 'it is refused');
  } finally {
    client.close();
  }
}
