import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { BagInfo } from '../../adapters/rosbag/index.ts';
import { EdgeError, type SegmentInfo } from '../../contract/core.ts';
import type { ApiClient } from '../api-client.ts';
import { action } from '../context.ts';
import { startDaemon } from '../demo/daemon-child.ts';
import { bytes, table } from '../output.ts';

type PlayState = {
  play_id: string;
  state: 'playing' | 'finished' | 'failed' | 'stopped';
  messages: number | null;
  published: number;
  reason: string;
};
type PlayOptions = { rate: string; loop?: boolean; start: string; topics?: string[] };
type RecordOptions = { duration?: string };

export function addBagCommands(program: Command): void {
  const bag = program.command('bag').description('recordings: look at one, play one, record');
  bag
    .command('info <paths...>')
    .description(
      'topics, counts and times of a recording: MCAP or rosbag2, a file or a folder; exit code 1 where a file is damaged',
    )
    .addHelpText('after', '\nExample:\n  auraison bag info ~/.local/share/auraison-edge/bags/*')
    .action(
      action(async ({ out }, paths: string[]) => {
        const { bagInfo } = await import('../../adapters/rosbag/index.ts');
        const infos = await Promise.all(paths.map((path) => bagInfo(path)));
        out.result(infos.length === 1 ? infos[0] : infos, () => infos.map(infoText).join('\n\n'));
        const faults = infos.flatMap((info) => info.files.filter(({ fault }) => fault !== undefined));
        for (const { path, fault } of faults) out.note(`auraison: ${path}: ${fault!.message}`);
        return faults.length === 0 ? 0 : 1;
      }),
    );
  bag
    .command('play <path>')
    .description('play a recording onto the bus: it is recorded, counted and projected like a robot')
    .option('--rate <times>', 'times the pace of the recording, or max', '1')
    .option('--loop', 'again and again, until Ctrl-C')
    .option('--start <seconds>', 'skip this much of the recording', '0')
    .option('--topics <names...>', 'only these topics')
    .addHelpText(
      'after',
      '\nPlays into the running daemon, or starts one without a robot for as long as it takes.\n\nExamples:\n  auraison bag play ./neato-hallway --rate 10\n  auraison bag play run.mcap --topics /scan /odom',
    )
    .action(
      action(async ({ settings, api, out }, path: string, options: PlayOptions) => {
        const request = {
          path: resolve(path),
          rate: rateOf(options.rate),
          loop: options.loop === true,
          start_s: Number(options.start),
          topics: options.topics ?? [],
        };
        const daemon = (await answers(api))
          ? undefined
          : await ownDaemon(settings.dataDir, settings.file, out.note);
        try {
          const { state, segments } = await play(api, request, out.json ? () => {} : out.note);
          if (state.state === 'failed') out.note(`auraison: ${path}: ${state.reason}`);
          out.result({ ...state, segments }, () =>
            [`${state.state}: ${state.published} messages`, ...segmentLines(segments)].join('\n'),
          );
          return state.state === 'failed' ? 1 : 0;
        } finally {
          await daemon?.stop();
        }
      }),
    );
  bag
    .command('record')
    .description(
      'seal what was recorded so far, record until Ctrl-C or for --duration, seal again: the segments hold just that',
    )
    .option('--duration <seconds>', 'record this long')
    .addHelpText(
      'after',
      '\nThe daemon records all the time; this cuts a piece out at its borders.\n\nExample:\n  auraison bag record --duration 30',
    )
    .action(
      action(async ({ api, out }, options: RecordOptions) => {
        const before = await seal(api);
        out.note(
          options.duration === undefined
            ? 'recording until Ctrl-C ...'
            : `recording for ${options.duration} s ...`,
        );
        await until(options.duration === undefined ? undefined : Number(options.duration));
        const known = new Set(before.map((segment) => segment.path));
        const segments = (await seal(api)).filter((segment) => !known.has(segment.path));
        out.result({ segments }, () =>
          segments.length === 0 ? 'nothing was published in that time' : segmentLines(segments).join('\n'),
        );
        return 0;
      }),
    );
}

async function play(api: ApiClient, request: object, note: (text: string) => void) {
  const started = await api.post<PlayState>('/v1/plays', request);
  const onStop = () => void api.post(`/v1/plays/${started.play_id}/stop`).catch(() => {});
  process.once('SIGINT', onStop);
  let state = started;
  let lastNote = performance.now();
  while (state.state === 'playing') {
    await new Promise((done) => setTimeout(done, 100));
    state = await api.get<PlayState>(`/v1/plays/${started.play_id}`);
    if (performance.now() - lastNote > 2_000) {
      lastNote = performance.now();
      note(`  ${state.published}${state.messages === null ? '' : ` of ${state.messages}`} messages`);
    }
  }
  process.removeListener('SIGINT', onStop);
  return { state, segments: await seal(api) };
}

async function seal(api: ApiClient): Promise<readonly SegmentInfo[]> {
  return (await api.post<{ result: readonly SegmentInfo[] }>('/v1/recorder/seal')).result;
}

async function answers(api: ApiClient): Promise<boolean> {
  try {
    await api.get('/healthz');
    return true;
  } catch {
    return false;
  }
}

function ownDaemon(dataDir: string, config: string | undefined, note: (text: string) => void) {
  note('no daemon is running: starting one for this, without a robot');
  return startDaemon({
    dataDir,
    config,
    env: { AURAISON_ROBOT_SOURCE: 'none', AURAISON_API_PORT: '0', AURAISON_ZENOH_ENABLED: 'false' },
    timeoutMs: 30_000,
  });
}

function rateOf(text: string): number {
  const rate = text === 'max' ? 0 : Number(text);
  if (text === 'max' || (Number.isFinite(rate) && rate > 0)) return rate;
  throw new EdgeError('schema.invalid', {
    operation: 'bag play',
    subject: '--rate',
    message: `--rate ${text}: a number above 0, or max, expected`,
  });
}

function until(seconds: number | undefined): Promise<void> {
  return new Promise((resolve_) => {
    process.once('SIGINT', () => resolve_());
    process.once('SIGTERM', () => resolve_());
    if (seconds !== undefined) setTimeout(resolve_, seconds * 1000);
  });
}

function segmentLines(segments: readonly SegmentInfo[]): string[] {
  return segments.map(
    (s) =>
      `${s.path}  ${s.messages} messages  ${bytes(s.bytes)}  sha256 ${s.sha256.slice(0, 16)}…${s.repaired ? '  (repaired)' : ''}`,
  );
}

function infoText(info: BagInfo): string {
  const seconds = Number(info.endNs - info.startNs) / 1e9;
  const time = (ns: bigint) => new Date(Number(ns / 1_000_000n)).toISOString().replace('T', ' ');
  const files = info.files.map((f) => [
    f.path,
    f.storage,
    bytes(f.bytes),
    String(f.messages),
    f.fault?.message ?? '',
  ]);
  const topics = info.topics.map((t) => [
    t.topic,
    t.type,
    String(t.messages),
    seconds > 0 ? `${(t.messages / seconds).toFixed(1)} Hz` : '',
  ]);
  return [
    `${info.path}: ${info.messages} messages, ${bytes(info.bytes)}, ${seconds.toFixed(1)} s`,
    ...(info.messages === 0 ? [] : [`from ${time(info.startNs)} to ${time(info.endNs)}`]),
    '',
    table(['FILE', 'STORAGE', 'SIZE', 'MESSAGES', 'FAULT'], files),
    '',
    table(['TOPIC', 'TYPE', 'MESSAGES', 'RATE'], topics),
  ].join('\n');
}
