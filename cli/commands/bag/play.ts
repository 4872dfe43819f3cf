import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { PlayState } from '../../../contract/bag-messages.ts';
import { EdgeError } from '../../../contract/core.ts';
import type { ApiClient } from '../../../daemon/client/api-client.ts';
import { action } from '../../context.ts';
import type { Output } from '../../output.ts';
import { daemonIfNone } from './own-daemon.ts';
import { KEYS_HELP, listenForKeys, type PlayKey } from './play-keys.ts';
import { seal, segmentLines } from './segments.ts';
import { durationNs, oneOf, words, wrongValue } from './values.ts';

type Flags = {
  rate: string;
  loop?: boolean;
  start: string;
  duration?: string;
  delay?: string;
  topics?: string[];
  exclude?: string[];
  remap?: string[];
  to: string;
  prefix?: string;
  clock?: string | boolean;
  allowCommands?: boolean;
  pause?: boolean;
};

const LOOK_MS = 100;
/** How long a daemon of this command's own may take an order for an old one. */
const OWN_START_MS = 10_000;
const NOTE_MS = 2_000;
/** The default rate of rosbag2. */
const CLOCK_HZ = 40;

export function addPlayCommand(bag: Command): void {
  bag
    .command('play <path>')
    .description(
      'play a recording: onto the bus (recorded, counted and projected like a robot), into ROS 2 or Zenoh',
    )
    .option('--to <where>', 'bus, ros or zenoh', 'bus')
    .option('--rate <times>', 'times the pace of the recording, or max', '1')
    .option('--loop', 'again and again, until Ctrl-C')
    .option('--start <offset>', 'skip this much of the recording: 10, 10s, 1m30s', '0')
    .option('--duration <time>', 'play this much of it')
    .option('--delay <time>', 'wait this long for listeners, before the first message and after the last')
    .option('--topics <patterns...>', 'only these; * stands for anything')
    .option('--exclude <patterns...>', 'not these')
    .option('--remap <rules...>', 'under another name: /old:=/new')
    .option('--prefix <key>', 'of the Zenoh keys; default: zenoh.prefix of the configuration')
    .option('--clock [hz]', `publish the time of the bag on /clock, ${CLOCK_HZ} times a second by default`)
    .option('--pause', 'start paused')
    .option(
      '--allow-commands',
      'also velocities, under the actuation lease and within the limits of the robot',
    )
    .addHelpText(
      'after',
      `
Plays into the running daemon, or starts one without a robot for as long as it takes. In a terminal: ${KEYS_HELP}.
Topics go to ROS 2 in the quality of service they were recorded with. Transient local topics (/tf_static, maps) come
first, also after --start. Where a robot may hear it, commands are withheld, and named, unless --allow-commands is given;
into ROS and Zenoh so is what robot.harmless does not name and whose type may move something. Onto the bus of a daemon
without a robot everything is played.

Examples:
  auraison bag play ./neato-hallway --rate 10
  auraison bag play run.mcap --topics /scan '/tf*' --start 1m --loop
  auraison bag play run.mcap --to ros --clock --remap /scan:=/replayed/scan`,
    )
    .action(
      action(async ({ settings, api, out }, path: string, flags: Flags) => {
        const request = requestOf(path, flags);
        const env: Record<string, string> = request.to === 'zenoh' ? { AURAISON_ZENOH_ENABLED: 'true' } : {};
        const daemon = await daemonIfNone(api, settings, out.note, env);
        try {
          const state = await play(api, request, out, daemon !== undefined);
          const segments = request.to === 'bus' ? await seal(api) : [];
          if (state.state === 'failed') out.note(`auraison: ${path}: ${state.reason}`);
          out.result({ ...state, segments }, () =>
            [
              `${state.state}: ${state.published} of ${state.messages} messages${state.loops > 1 ? `, ${state.loops} times` : ''}`,
              ...segmentLines(segments),
            ].join('\n'),
          );
          return state.state === 'failed' ? 1 : 0;
        } finally {
          await daemon?.stop();
        }
      }),
    );
}

function requestOf(path: string, flags: Flags) {
  const clockHz = flags.clock === undefined ? 0 : flags.clock === true ? CLOCK_HZ : Number(flags.clock);
  if (!(clockHz >= 0 && clockHz <= 1000))
    throw wrongValue('--clock', String(flags.clock), 'a rate up to 1000 Hz');
  return {
    path: resolve(path),
    to: oneOf(flags.to, ['bus', 'ros', 'zenoh'], '--to'),
    rate: rateOf(flags.rate),
    loop: flags.loop === true,
    start_s: Number(durationNs(flags.start, '--start')) / 1e9,
    ...(flags.duration === undefined
      ? {}
      : { duration_s: Number(durationNs(flags.duration, '--duration')) / 1e9 }),
    ...(flags.delay === undefined ? {} : { delay_s: Number(durationNs(flags.delay, '--delay')) / 1e9 }),
    topics: words(flags.topics),
    exclude: words(flags.exclude),
    remap: words(flags.remap),
    ...(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
    clock_hz: clockHz,
    allow_commands: flags.allowCommands === true,
    paused: flags.pause === true,
  };
}

function rateOf(text: string): number {
  const rate = text === 'max' ? 0 : Number(text);
  if (text === 'max' || (Number.isFinite(rate) && rate > 0 && rate <= 1000)) return rate;
  throw wrongValue('--rate', text, 'a number above 0 and up to 1000, or max,');
}

/**
 * The first state of a play. A daemon that stood still as it started refuses what may be an old order: where it is this
 * command's own, no one else can have ordered a stop meanwhile, and the order is sent again.
 */
async function begun(api: ApiClient, request: object, isOwn: boolean): Promise<PlayState> {
  const end = performance.now() + OWN_START_MS;
  for (;;) {
    try {
      return await api.post<PlayState>('/v1/plays', request);
    } catch (error) {
      const isLate = error instanceof EdgeError && error.code === 'command.expired';
      if (!isOwn || !isLate || performance.now() > end) throw error;
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  }
}

async function play(api: ApiClient, request: object, out: Output, isOwn: boolean): Promise<PlayState> {
  let state = await begun(api, request, isOwn);
  const at = `/v1/plays/${state.play_id}`;
  if (state.withheld.length > 0) {
    out.note(
      `not played, a robot might obey: ${state.withheld.join(' ')} (--allow-commands plays velocities, robot.harmless names what moves nothing)`,
    );
  }
  const onStop = () => void api.post(`${at}/stop`).catch(() => {});
  process.on('SIGINT', onStop);
  process.on('SIGTERM', onStop);
  const release = listenForKeys(
    (key) => void obey(api, at, key, state).catch((error: Error) => out.note(error.message)),
  );
  if (process.stdin.isTTY) out.note(KEYS_HELP);
  let noted = performance.now();
  try {
    while (state.state === 'playing' || state.state === 'paused') {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      state = await api.get<PlayState>(at);
      if (performance.now() - noted < NOTE_MS) continue;
      noted = performance.now();
      out.note(progress(state));
    }
    return state;
  } finally {
    release();
    process.off('SIGINT', onStop);
    process.off('SIGTERM', onStop);
  }
}

function progress({ published, messages, position_s, duration_s, state, rate }: PlayState): string {
  const pace = state === 'paused' ? 'paused' : rate === 0 ? 'as fast as it goes' : `${rate}×`;
  return `  ${position_s.toFixed(1)} of ${duration_s.toFixed(1)} s  ${published} of ${messages} messages  ${pace}`;
}

async function obey(api: ApiClient, at: string, key: PlayKey, state: PlayState): Promise<void> {
  if (key.action === 'stop') await api.post(`${at}/stop`);
  if (key.action === 'toggle') await api.post(`${at}/${state.state === 'paused' ? 'resume' : 'pause'}`);
  if (key.action === 'skip') {
    const position = Math.max(0, Math.min(state.duration_s, state.position_s + key.seconds));
    await api.post(`${at}/seek`, { position_s: position });
  }
  if (key.action === 'rate')
    await api.post(`${at}/rate`, { rate: Math.min(1000, (state.rate || 1) * key.factor) });
}
