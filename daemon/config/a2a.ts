import { flag, text } from './spec.ts';

/** `[a2a]`: this robot as an agent of the Agent2Agent protocol (docs/a2a.md). */
export const A2A_KEYS = {
  serve: flag(
    false,
    'answer agents at /a2a of the API, with its tokens; the agent card shows name and version to all',
  ),
  url: text(
    '',
    'where agents reach this API, for the agent card, for example behind a proxy; empty: as they asked',
    {
      match: /^(|https?:\/\/[^\s/]+)$/,
      expected: 'scheme and host, for example "https://robot.example", or ""',
    },
  ),
} as const;
