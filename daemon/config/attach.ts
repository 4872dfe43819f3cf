import { flag, integer, quantity, text, texts } from './spec.ts';

/** Keys that both servers have. */
const attach = (port: number) => ({
  port: integer(0, `port of the server, usually ${port}; 0: no server`, { min: 0, max: 65_535 }),
  host: text('127.0.0.1', 'address it listens on; other hosts always need the token'),
  open: flag(
    false,
    'programs of this host may look without a token; they never act. Not needed with api.auth = "none"',
  ),
  max_clients: integer(16, 'connections at a time', { min: 1, max: 256 }),
  queue: quantity(
    'size',
    '16 MiB',
    'what waits for one client; beyond it samples are dropped, the largest topic first',
    { min: 1024 * 1024, max: 1024 * 1024 * 1024 },
  ),
});

/** `[foxglove]`: the server for Foxglove and Lichtblick, see docs/foxglove.md. */
export const FOXGLOVE_KEYS = {
  ...attach(8765),
  assets: texts(
    [],
    'folders with meshes that clients may read, also by package://NAME where NAME is a folder in one of them',
  ),
} as const;

/** `[rosbridge]`: the server for roslib, roslibpy and the like, see docs/rosbridge.md. */
export const ROSBRIDGE_KEYS = attach(9090);
