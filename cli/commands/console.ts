import { networkInterfaces } from 'node:os';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { action } from '../context.ts';

type ConsoleCode = { readonly code: string; readonly expires_ts: string };

export function addConsoleCommand(program: Command): void {
  program
    .command('console')
    .description('a link that opens the web pages of this robot, logged in')
    .option('--qr', 'also as a QR code, for a phone; at a terminal it is shown anyway')
    .option('--no-qr', 'the link alone')
    .addHelpText(
      'after',
      `
The link counts once and for ten minutes. The browser that opens it keeps your token until you log out there.

Examples:
  auraison console
  xdg-open "$(auraison console --no-qr)"`,
    )
    .action(
      action(async ({ api, out }, options: { qr?: boolean }) => {
        const { code, expires_ts } = await api.post<ConsoleCode>('/v1/console/codes');
        const base = reachableUrl(api.url, networkInterfaces());
        const link = `${base}#/login/${code}`;
        const shows = options.qr ?? process.stdout.isTTY === true;
        const drawn = shows && !out.json ? `${(await import('uqr')).renderUnicodeCompact(link)}\n` : '';
        out.result({ link, expires_ts }, () => drawn + link);
        if (!out.json && shows && isLoopback(base))
          out.note(
            'it opens on this host only: docs/configure.md, "reached over a network", has the way for phones',
          );
        return 0;
      }),
    );
}

/** No browser opens the address of all interfaces: the first address of a network stands for it. */
export function reachableUrl(url: string, interfaces: ReturnType<typeof networkInterfaces>): string {
  let found: URL;
  try {
    found = new URL(url);
  } catch {
    throw new EdgeError('schema.invalid', {
      operation: 'console',
      subject: url,
      message: `a browser cannot open ${url}`,
      hint: 'set api.host and api.port instead of api.socket',
    });
  }
  if (['0.0.0.0', '[::]'].includes(found.hostname)) {
    const outside = Object.values(interfaces)
      .flat()
      .find((one) => one !== undefined && !one.internal && one.family === 'IPv4');
    found.hostname = outside?.address ?? '127.0.0.1';
  }
  return found.href;
}

const isLoopback = (url: string) => /^https?:\/\/(?:127\.|localhost|\[::1\])/.test(url);
