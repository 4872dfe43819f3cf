/**
 * Projects events into a lake on servers until it is killed, and prints the number of the last one that is acknowledged.
 * On standard input: where the lake is, as JSON.
 */
import { text } from 'node:stream/consumers';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import type { RemotePlace } from '../../adapters/ducklake/remote-place.ts';
import { logged } from '../conformance/lake.ts';
import { runEvents } from './sample-events.ts';
import { say } from './say.ts';

type Given = {
  readonly dataDir: string;
  readonly extensionDirectories: readonly string[];
  readonly place: RemotePlace;
};
const { place, ...given } = JSON.parse(await text(process.stdin)) as Given;
const lake = await DuckLakeLake.open({ ...given, clock: new SystemClock(), remote: () => place });
// Of the same log at each start: the lake skips what it has.
const events = await logged('runtime', Array.from({ length: 100 }, (_, i) => runEvents(i * 50, 10)).flat());
const from = (await lake.cursors()).runtime?.seq ?? 0;
// Small batches and large ones.
for (let at = from, size = 7; at < events.length; at += size, size = size === 7 ? 130 : 7) {
  await lake.project('runtime', events.slice(at, at + size));
  say(`${Math.min(at + size, events.length)}\n`);
}
await lake.close();
