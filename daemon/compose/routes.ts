import type { CellContext } from '../../contract/core.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import { Routes } from '../execution/routes/index.ts';
import type { Settings } from '../settings.ts';
import type { RobotIo } from './robot-io.ts';

/** The routes of the configuration, over the robot's middleware, the key space and the bus. */
export function makeRoutes(
  { config }: Settings,
  { clock, emit, report }: CellContext,
  bus: SampleBus,
  io: RobotIo,
): Routes {
  return new Routes({
    clock,
    specs: config.routes,
    robot: config.daemon.name,
    prefix: config.zenoh.prefix,
    bus,
    sink: io.sink,
    commandTopic: io.command.topic,
    emit,
    report,
  });
}
