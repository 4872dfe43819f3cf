import { text, texts } from './spec.ts';

/** `[dataset]`: export of episodes to LeRobotDataset, and where datasets and trained policies go. */
export const DATASET_KEYS = {
  ffmpeg: text('ffmpeg', 'program that writes and reads videos: a name on the PATH, or a path'),
  hub_url: text('https://huggingface.co', 'hub of `auraison dataset push`', {
    match: /^https?:\/\/[^\s@]{1,512}$/,
    expected: 'an http or https address without a password',
  }),
  hub_token_file: text(
    '',
    'token for the hub: a path, or credential:NAME; empty: that of the HF_TOKEN variable',
  ),
  python: text(
    '',
    'Python 3.11 or newer that trainers get their environments from; empty: python3 on the PATH',
  ),
  evaluate: texts([], 'command of `auraison policy eval`; it is given --policy FILE --episodes N'),
} as const;
