import type { Command } from 'commander';
import { type ClipInfo, EdgeError, type EpisodeInfo, LIMITS } from '../../contract/core.ts';
import { action } from '../context.ts';
import { bytes, table } from '../output.ts';

type LabelOptions = { label?: string; success?: boolean; failure?: boolean };

export function addRecordingCommands(program: Command): void {
  addClipCommands(program);
  addEpisodeCommands(program);
}

function addClipCommands(program: Command): void {
  const clip = program.command('clip').description('clips: the time around a moment, kept as a recording');
  clip
    .command('record')
    .description('keep what happened around now; waits until the clip is whole')
    .option('--pre <seconds>', 'this long before now; default: recorder.clip_pre')
    .option('--post <seconds>', 'this long after now; default: recorder.clip_post')
    .option('--reason <text>', 'why, for the log', '')
    .addHelpText(
      'after',
      '\nExample:\n  auraison clip record --pre 30 --post 5 --reason "it bumped into the door"',
    )
    .action(
      action(async ({ api, out }, options: { pre?: string; post?: string; reason: string }) => {
        const span = (key: 'pre' | 'post') =>
          options[key] === undefined ? {} : { [`${key}_ms`]: milliseconds(`--${key}`, options[key]) };
        const body = { reason: options.reason, wait: true, ...span('pre'), ...span('post') };
        const made = await api.post<ClipInfo>('/v1/recorder/clip', body, LIMITS.RECORDER_REQUEST_MS);
        out.result(made, () => `${made.bag}  ${made.messages} messages  ${bytes(made.bytes)}`);
        return 0;
      }),
    );
  clip
    .command('list')
    .description('all clips of this robot, oldest first')
    .action(
      action(async ({ api, out }) => {
        const { clips } = await api.get<{ clips: ClipInfo[] }>('/v1/recorder/clips');
        out.result(clips, () =>
          table(
            ['BAG', 'STATE', 'MESSAGES', 'SIZE', 'REASON'],
            clips.map((one) => [one.bag, one.state, `${one.messages}`, bytes(one.bytes), one.reason]),
          ),
        );
        return 0;
      }),
    );
}

function addEpisodeCommands(program: Command): void {
  const episode = program
    .command('episode')
    .description('episodes: one bounded attempt each (recorder.mode = "episode")');
  const labelled = (command: Command) =>
    command
      .option('--label <text>', 'what was attempted')
      .option('--success', 'it was achieved')
      .option('--failure', 'it was not');
  labelled(episode.command('start'))
    .description('start an episode')
    .action(
      action(async ({ api, out }, options: LabelOptions) => {
        const begun = await api.post<EpisodeInfo>('/v1/episodes', labelOf(options));
        out.result(begun, () => `recording ${begun.episode_id} into ${begun.bag}`);
        return 0;
      }),
    );
  labelled(episode.command('stop'))
    .description('end the episode; when this returns it is whole and durable')
    .action(
      action(async ({ api, out }, options: LabelOptions) => {
        const ended = await api.post<EpisodeInfo>(
          '/v1/episodes/stop',
          labelOf(options),
          LIMITS.RECORDER_REQUEST_MS,
        );
        out.result(ended, () => line(ended));
        return 0;
      }),
    );
  labelled(episode.command('relabel <episode>'))
    .description('give an episode another label, or say whether it succeeded')
    .action(
      action(async ({ api, out }, id: string, options: LabelOptions) => {
        const path = `/v1/episodes/${encodeURIComponent(id)}/relabel`;
        const known = await api.post<EpisodeInfo>(path, labelOf(options));
        out.result(known, () => line(known));
        return 0;
      }),
    );
  episode
    .command('discard [episode]')
    .description('throw away the episode that is recorded, or the one named')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .action(
      action(async ({ api, out }, id: string | undefined, { reason }: { reason: string }) => {
        const which = id === undefined ? '' : `/${encodeURIComponent(id)}`;
        const done = await api.post(`/v1/episodes${which}/discard`, { reason }, LIMITS.RECORDER_REQUEST_MS);
        out.result(done, () => 'discarded');
        return 0;
      }),
    );
  episode
    .command('list')
    .description('all episodes of this robot, oldest first')
    .action(
      action(async ({ api, out }) => {
        const { episodes } = await api.get<{ episodes: EpisodeInfo[] }>('/v1/episodes');
        out.result(episodes, () => episodes.map(line).join('\n') || 'no episodes');
        return 0;
      }),
    );
}

function line({ episode_id, state, label, success, messages, bytes: size }: EpisodeInfo): string {
  const outcome = success === undefined ? '' : success ? '  success' : '  failure';
  return `${episode_id}  ${state}  ${messages} messages  ${bytes(size)}${outcome}  ${label}`;
}

function labelOf({ label, success, failure }: LabelOptions): { label?: string; success?: boolean } {
  if (success === true && failure === true) throw wrong('--failure', 'success or failure, not both');
  const outcome = success === true ? true : failure === true ? false : undefined;
  return {
    ...(label === undefined ? {} : { label }),
    ...(outcome === undefined ? {} : { success: outcome }),
  };
}

function milliseconds(option: string, text: string): number {
  const ms = Number(text) * 1000;
  if (text.trim() !== '' && ms >= 0 && ms <= LIMITS.CLIP_SPAN_MS_MAX) return ms;
  throw wrong(option, `seconds from 0 to ${LIMITS.CLIP_SPAN_MS_MAX / 1000} expected, not ${text}`);
}

function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'command line', subject, message });
}
