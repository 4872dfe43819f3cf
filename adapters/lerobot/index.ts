/** LeRobot's asynchronous inference over gRPC, both sides. Loads gRPC: import it only where one is configured. */
import type { PolicyDesk } from '../../contract/core.ts';
import type { WireServer } from '../../formats/policy-wire/wire-server.ts';
import { LeRobotServer, type LeRobotServerOptions } from './lerobot-server.ts';

export { connectLeRobot, type LeRobotOptions } from './connect.ts';
export { LeRobotServer, type LeRobotServerOptions } from './lerobot-server.ts';

/** Serves the policies of a desk to clients of LeRobot. Rejects with `host.port_in_use`. */
export function serveLeRobot(desk: PolicyDesk, options: LeRobotServerOptions): Promise<WireServer> {
  return LeRobotServer.start(desk, options);
}
