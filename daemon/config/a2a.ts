import { flag, text, texts } from './spec.ts';

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
  push_to: texts(
    [],
    'origins to which states of tasks may be posted, for clients that ask for push notifications; empty: none are sent',
    {
      match: /^(https:\/\/[^\s/@?#*]+|http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?)$/,
      expected:
        'a list of https origins, for example ["https://agent.example"], without a path; over http only this host, for example "http://127.0.0.1:9000"',
    },
  ),
} as const;
