import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runLinkCampaign } from '../test/support/link-campaign/link-campaign.ts';

/**
 * Files and events of a robot over a line that is slow, cut in the middle of bodies and repeats old requests, while robot and
 * central are killed (SIGKILL) at random. Then both sides are compared, and the bytes on the line counted at a proxy. Ends
 * with 1 when anything is lost, there twice or wrong, or when the line carried more than 1.1 times the payload.
 *
 * Usage: node bench/link.ts [--seconds 300] [--segments 40] [--segment-kb 256] [--events 1500] [--kbit 64] [--every-ms 6000]
 * [--kills 0.15] [--seed N] [--json]
 */
const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    segments: { type: 'string', default: '8' },
    'segment-kb': { type: 'string', default: '256' },
    events: { type: 'string', default: '1500' },
    kbit: { type: 'string', default: '64' },
    kills: { type: 'string', default: '0.15' },
    'every-ms': { type: 'string', default: '6000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'auraison-link-'));
const seed = Number(flags.seed);
process.stderr.write(`seed ${seed}\n`);
const result = await runLinkCampaign({
  ...{ folder, seed, segments: Number(flags.segments), segmentBytes: Number(flags['segment-kb']) * 1024 },
  ...{ events: Number(flags.events), bitPerSecond: Number(flags.kbit) * 1_000 },
  ...{
    faultSeconds: Number(flags.seconds),
    everyMs: [Number(flags['every-ms']) / 4, Number(flags['every-ms'])],
    kills: Number(flags.kills),
  },
  drainSeconds: 3_600,
});
const { events, files, line, faults, seconds } = result;
const wrong = events.lost + events.twice + files.lost + files.twice + files.wrong;
rmSync(folder, { recursive: true, force: true });
if (!flags.json)
  process.stdout.write(
    [
      `faults  ${faults.cuts} cuts, ${faults.repeats} repeated connections, ${faults.robotKills} kills of the robot, ${faults.centralKills} of central, ${seconds.toFixed(0)} s`,
      `events  ${events.written} written, ${events.lost} lost, ${events.twice} twice; ${events.own} of the link's own log`,
      `files   ${files.written} written, ${files.lost} lost, ${files.twice} twice, ${files.wrong} wrong`,
      `line    ${line.up} bytes up, ${line.down} down; payload ${line.payload} compressed; ratio ${line.ratio.toFixed(3)}`,
      '',
    ].join('\n'),
  );
process.stdout.write(`${JSON.stringify({ seed, loadAverage: loadavg()[0], ...result })}\n`);
process.exitCode = wrong === 0 && line.ratio <= 1.1 ? 0 : 1;
