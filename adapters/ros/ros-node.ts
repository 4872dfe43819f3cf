import type { Clock, RosApi } from '../../contract/core.ts';
import { ServiceLifecycle } from '../../formats/ros2/lifecycle.ts';
import { ServiceParameters } from '../../formats/ros2/parameters.ts';
import type { ApiLink } from './api-link.ts';
import { HostActions } from './ros-actions.ts';
import { HostGraph } from './ros-graph.ts';
import { HostServices } from './ros-services.ts';

/** Everything of ROS 2 that is not a stream of samples, over the ROS host. Made once by `RosHost`. */
export function makeRosApi(
  link: ApiLink,
  clock: Clock,
  report: (level: 'warn' | 'error', message: string) => void,
): RosApi {
  let last = 0;
  const number = () => ++last;
  const services = new HostServices(link, clock, report, number);
  return {
    graph: new HostGraph(link, clock, report),
    services,
    actions: new HostActions(link, clock, report, number),
    parameters: new ServiceParameters(services),
    lifecycle: new ServiceLifecycle(services),
  };
}
