import { type Command, InvalidArgumentError } from 'commander';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput } from '../output.ts';

type SimFlags = GlobalOptions & { seed: number; cameraRate: number; domain?: string };

export function addSimCommands(program: Command): void {
  program
    .command('sim')
    .description('simulated robots on their own')
    .command('arm')
    .description(
      'the simulated arm as a ROS 2 robot: joint states, cameras, FollowJointTrajectory, GripperCommand',
    )
    .option('--seed <number>', 'family of starts', whole(0, 65_535), 1)
    .option('--camera-rate <hz>', 'images per second of each camera; 0: none', whole(0, 100), 10)
    .option('--domain <id>', 'ROS domain; else that of ROS_DOMAIN_ID')
    .addHelpText('after', '\nEnds with Ctrl-C. Example:\n  auraison sim arm --domain 7')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<SimFlags>();
      const out = makeOutput(flags.json === true);
      try {
        await serve(flags, out.note);
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
}

async function serve({ seed, cameraRate, domain }: SimFlags, note: (text: string) => void): Promise<void> {
  // Physics and ROS are heavy: no other command pays for them.
  const [{ SystemClock }, { RosHost }, { HostedArm }, { ArmFacade, FOLLOW, GRIPPER_COMMAND }] =
    await Promise.all([
      import('../../adapters/clock/system-clock.ts'),
      import('../../adapters/ros/index.ts'),
      import('../../sim/arm/hosted-arm.ts'),
      import('../sim/arm-facade.ts'),
    ]);
  const clock = new SystemClock();
  const env = domain === undefined ? {} : { ROS_DOMAIN_ID: domain };
  const host = new RosHost(
    { node: 'ar4_sim', env, standby: false, report: (_level, message) => note(message) },
    clock,
  );
  const arm = await HostedArm.create({ seed, cameraHz: cameraRate });
  const facade = new ArmFacade({ arm, host, clock, onFault: note });
  await facade.start();
  note(`the arm is up: /joint_states, ${FOLLOW}, ${GRIPPER_COMMAND}`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await facade.close();
  arm.close();
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} expected`);
  };
}
