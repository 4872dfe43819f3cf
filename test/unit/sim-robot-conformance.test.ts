import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { encodeTwist, TWIST } from '../../formats/cdr/index.ts';
import { SimRobot } from '../../sim/client.ts';
import { HostServer } from '../../sim/host-server.ts';
import { describeRobot } from '../../sim/protocol.ts';
import { Simulation } from '../../sim/simulation.ts';
import { CMD_VEL, SIM_TOPICS } from '../../sim/topics.ts';
import { sampleIoConformance } from '../conformance/sample-io.ts';

/** The host within this process: what is lost here is the connection; `sim-host` loses the process. */
for (const pace of ['lockstep', 'realtime'] as const) {
  sampleIoConformance(`SimRobot, ${pace}`, async () => {
    const clock = new SystemClock();
    const folder = mkdtempSync(join(tmpdir(), 'sim-'));
    const socket = join(folder, 'sim.sock');
    const simulation = await Simulation.create(1, { width: 2, height: 2 });
    let obeyed = 0;
    const command = simulation.command.bind(simulation);
    simulation.command = (twist) => {
      obeyed++;
      return command(twist);
    };
    let server: HostServer | undefined;
    let run: Promise<void> = Promise.resolve();
    const restore = async () => {
      server = new HostServer({
        simulation,
        description: describeRobot('test', 1, pace),
        clock,
        pace,
        speed: 20,
      });
      await server.listen(socket);
      run = server.run();
    };
    const lose = async () => {
      server?.close();
      await run;
    };
    await restore();
    const robot = new SimRobot({ socket, clock });
    return {
      source: robot,
      sink: robot,
      topics: [SIM_TOPICS.odom, SIM_TOPICS.scan, SIM_TOPICS.clock],
      command: {
        topic: CMD_VEL,
        sample: {
          topic: CMD_VEL.topic,
          type: TWIST,
          stamp: 0n,
          received: 0n,
          bytes: encodeTwist({ linear: { x: 0, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0.5 } }),
        },
      },
      obeyed: () => obeyed,
      lose,
      restore,
      end: async () => {
        await lose();
        simulation.close();
        rmSync(folder, { recursive: true });
      },
    };
  });
}
