import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError } from '../../contract/core.ts';
import { action } from '../context.ts';

type Options = { token?: string; tokenFile?: string; ca?: string; trustFirst?: boolean };

/** `auraison link enrol`: works without a running daemon; one that runs uses the new certificate at once. */
export function addEnrolCommand(link: Command): void {
  link
    .command('enrol <url>')
    .description('get this robot its own key and certificate from central, for a one-time token')
    .option('--token <token>', 'what "auraison central enrol" printed')
    .option('--token-file <path>', 'a file with the token; - for standard input')
    .option('--ca <path>', 'authority of central (PEM), instead of the one that the token names')
    .option('--trust-first', 'trust the authority that central shows first, where the token names none')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison link enrol https://central.example:7602 --token-file -\n  auraison link enrol https://central.example:7602 --token TOKEN',
    )
    .action(
      action(async ({ settings, out }, url: string, options: Options) => {
        const { enrolRobot } = await import('../../daemon/compose/link-identity.ts');
        const { config, dataDir } = settings;
        const done = await enrolRobot({
          ...{ url: addressOf(url), token: tokenOf(options), ca: options.ca, dataDir },
          trustFirst: options.trustFirst === true,
          robot: config.daemon.name,
          clock: new SystemClock(),
        });
        const configured = config.link.central_url;
        const rest =
          configured === url
            ? 'a running daemon uses it from its next request on'
            : `set it in the configuration and restart the daemon:\n\n[link]\ncentral_url = ${JSON.stringify(url)}`;
        out.result(
          { robot: config.daemon.name, url, file: done.file, until: done.until, authority: done.authority },
          () =>
            `${config.daemon.name} is enrolled at ${url}\ncertificate and key: ${done.file}, until ${done.until.toISOString()}, renewed by the link\nauthority of central: ${done.authority}\n${rest}`,
        );
        return 0;
      }),
    );
}

function tokenOf({ token, tokenFile }: Options): string {
  if (token !== undefined) return token;
  if (tokenFile !== undefined) return readToken(tokenFile);
  throw new EdgeError('config.invalid', {
    ...{ operation: 'enrol robot', subject: '--token' },
    message: '--token or --token-file expected',
    hint: 'auraison central enrol NAME prints a token, at the coordinator',
  });
}

function readToken(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.invalid', {
      ...{ operation: 'enrol robot', subject: '--token-file', cause },
      message: `--token-file: ${path} cannot be read: ${(cause as Error).message}`,
      hint: 'auraison central enrol NAME prints a token, at the coordinator',
    });
  }
}

function addressOf(url: string): string {
  if (/^https?:\/\/./.test(url) && URL.canParse(url)) return url;
  throw new EdgeError('config.invalid', {
    ...{ operation: 'enrol robot', subject: 'url' },
    message: `${url}: an address such as https://central.example:7602 expected`,
  });
}
