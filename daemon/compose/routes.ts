import type { CellContext } from '../../contract/core.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import type { Asker, Door, DoorPath } from '../execution/door/index.ts';
import { intakeFolder } from '../execution/recorder/intake.ts';
import { CrashNote, Routes } from '../execution/routes/index.ts';
import type { Settings } from '../settings.ts';
import type { RobotIo } from './robot-parts.ts';

/** The routes of the configuration, over the robot's middleware, the key space and the bus. */
export function makeRoutes(
  { config, dataDir }: Settings,
  { clock, emit, report }: CellContext,
  bus: SampleBus,
  io: RobotIo,
  door: Door,
  path: (asker: Asker) => DoorPath | undefined,
): Routes {
  const publishers = new Map<string, number>();
  // Who has no routes does not pay for the graph.
  const graph = config.routes.length > 0 ? io.rosApi?.graph : undefined;
  graph?.watch(({ topics }) => {
    publishers.clear();
    for (const { topic, publishers: found } of topics) publishers.set(topic, found.length);
  });
  return new Routes({
    clock,
    specs: config.routes,
    robot: config.daemon.name,
    prefix: config.zenoh.prefix,
    bus,
    door,
    ...(io.sink ? { robotPath: (name: string) => path({ kind: 'route', name })! } : {}),
    emit,
    report,
    ...(config.routes.length > 0 ? { crashNote: new CrashNote(intakeFolder(dataDir)) } : {}),
    ...(io.resubscribe ? { resubscribe: io.resubscribe } : {}),
    publishersOf: (topic) => publishers.get(topic),
  });
}
