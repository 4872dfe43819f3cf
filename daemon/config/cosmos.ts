import { choice, flag, integer, quantity, text } from './spec.ts';

const url = (about: string) =>
  text('', about, {
    match: /^(|https?:\/\/[^\s@]+)$/,
    expected: 'an http or https address without a password',
  });
const time = (shown: string, about: string) =>
  quantity('duration', shown, about, { min: 1_000, max: 7_200_000 });

/** `[cosmos]`: services that imagine and judge futures, see docs/cosmos.md. */
export const COSMOS_KEYS = {
  predict_url: url(
    'Cosmos generator that carries on what is seen, for example "http://127.0.0.1:8100"; empty: none',
  ),
  transfer_url: url('Cosmos generator that makes a film realistic; may be the same one; empty: none'),
  reason_url: url('Cosmos reasoner that judges images and films; empty: none'),
  key_file: text('', 'key of these services: a path, or credential:NAME; empty: they want none'),
  resolution: choice(['256', '480', '720'], '256', 'tier of the films'),
  frames: integer(61, 'of one film', { min: 25, max: 397 }),
  fps: integer(16, 'frames per second of a film', { min: 1, max: 60 }),
  steps: integer(35, 'of denoising: more is slower', { min: 1, max: 100 }),
  predict_timeout: time('10 min', 'for one film'),
  transfer_timeout: time('10 min', 'for one film'),
  reason_timeout: time('1 min', 'for one judgement'),
  maze: flag(
    false,
    'the maze application looks ahead: predict, transfer, reason, navigate; else, and where a service is away, as it does without',
  ),
  candidates: integer(2, 'places of which the maze application imagines the way', { min: 1, max: 4 }),
} as const;
