/** An execution cell with nothing but a bus and the servers of `makeAttached`, for bench/attached.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { CellContext } from '../../contract/index.ts';
import { makeAttached } from '../../daemon/compose/attached.ts';
import type { RobotIo } from '../../daemon/compose/robot-parts.ts';
import { readConfig } from '../../daemon/config.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import type { Settings } from '../../daemon/settings.ts';

const [port = '', imageBytes = '', imageHz = '', smallHz = ''] = process.argv.slice(2);
const clock = new SystemClock();
const bus = new SampleBus({ clock, ledger: new Ledger() });
const dataDir = mkdtempSync(join(tmpdir(), 'attached-'));
const { config } = readConfig(`[foxglove]\nport = ${port}\nopen = true\n`, 'bench.toml', {});
const report: CellContext['report'] = (level, message, facts) => {
  if (message.includes('can attach')) process.send!({ kind: 'ready' });
  else process.stderr.write(`${level} ${message} ${JSON.stringify(facts)}\n`);
};
const io = { topics: [], command: { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist' } };
const attached = makeAttached({ config, dataDir } as Settings, { clock, report } as unknown as CellContext, {
  ...{ bus, io: io as unknown as RobotIo, definitionOf: () => undefined, path: undefined },
})!;
attached.start();

const publish = (topic: string, type: string, bytes: Uint8Array) => {
  const now = clock.now();
  bus.publish({ topic, type, stamp: now, received: now, bytes }, 'robot');
};
const image = new Uint8Array(Number(imageBytes));
const small = new Uint8Array(500);
clock.every(1_000 / Number(imageHz), () => publish('/camera', 'sensor_msgs/msg/Image', image));
clock.every(1_000 / Number(smallHz), () => publish('/joint_states', 'sensor_msgs/msg/JointState', small));

// What an order to this cell, for example a stop, has to pass.
process.on('message', (message: { readonly kind: string }) => {
  if (message.kind === 'ping') return void process.send!(message);
  void attached.close().then(() => {
    rmSync(dataDir, { recursive: true, force: true });
    process.exit(0);
  });
});
