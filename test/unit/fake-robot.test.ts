import { IdSource, type Robot } from '../../contract/index.ts';
import { RobotProxy } from '../../daemon/runtime/robot/robot-proxy.ts';
import { type RobotFixture, robotConformance } from '../conformance/robot.ts';
import { FakeBus, serveRobot } from '../fakes/fake-bus.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

function fixture(wrap: (robot: FakeRobot) => Robot): RobotFixture {
  const fake = new FakeRobot({ seed: 3, cells: 6 });
  const { start } = fake.world;
  const corners = [fake.world.centre(0, 0), fake.world.centre(5, 5)];
  const away = (place: { x: number; y: number }) => Math.hypot(place.x - start.x, place.y - start.y);
  const far = corners.reduce((a, b) => (away(a) > away(b) ? a : b));
  return {
    robot: wrap(fake),
    near: { x: start.x + 0.3, y: start.y - 0.1, yaw: 0 },
    far: { ...far, yaw: 0 },
    blocked: { x: 0.05, y: 0.05, yaw: 0 },
    turn: () => Promise.resolve(),
    close: async () => {},
  };
}

robotConformance('FakeRobot', async () => fixture((robot) => robot));

robotConformance('RobotProxy over a bus', async () =>
  fixture((robot) => {
    const clock = new ManualClock();
    const bus = new FakeBus(clock);
    serveRobot(bus, robot);
    const ids = new IdSource(
      () => 1,
      (length) => new Uint8Array(length),
    );
    return new RobotProxy(bus, clock, ids);
  }),
);
