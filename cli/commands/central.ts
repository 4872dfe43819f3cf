import { join } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { EdgeError } from '../../contract/core.ts';
import { parseQuantity } from '../../daemon/config/quantity.ts';
import { readConfig } from '../../daemon/config.ts';
import { dataDirOf } from '../../daemon/paths.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput } from '../output.ts';

type CentralOptions = GlobalOptions & {
  host: string;
  port: string;
  auth: 'token' | 'none';
  quota: string;
};

export function addCentralCommand(program: Command): void {
  program
    .command('central')
    .description(
      'run the reference coordinator, which receives events and recordings from robots and hands them orders, until Ctrl-C',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 picks a free one', '7602')
    .option('--quota <size>', 'files of all robots together; 0 B: as much as the disk has', '0 B')
    .option('--auth <kind>', 'token, or none (loopback only)', 'token')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison central --data-dir ./central-data\n  AURAISON_LINK_CENTRAL_URL=http://127.0.0.1:7602 AURAISON_LINK_TOKEN_FILE=./central-data/token auraison up',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CentralOptions>();
      const out = makeOutput(options.json === true);
      try {
        const dataDir =
          options.dataDir ?? join(dataDirOf(readConfig('', '', {}).config, process.env), 'central');
        const { startCentral } = await import('../../central/start-central.ts');
        const central = await startCentral({
          dataDir,
          host: options.host,
          port: Number(options.port),
          auth: options.auth,
          quotaBytes: quotaOf(options.quota),
          clock: new SystemClock(),
          secrets: new FileSecrets(dataDir, String(process.pid)),
          report: (message, error) => out.note(`${message}: ${(error as Error)?.message ?? error}`),
        });
        out.result(
          { url: central.url, data_dir: dataDir },
          () =>
            `central listens at ${central.url}; data in ${dataDir}${central.token === undefined ? '' : `; robots need the token in ${join(dataDir, 'token')}, who gives orders that in ${join(dataDir, 'operator-token')}`}`,
        );
        const stop = () => void central.stop().then(() => process.exit(0));
        process.on('SIGTERM', stop);
        process.on('SIGINT', stop);
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
}

function quotaOf(text: string): number {
  const parsed = parseQuantity('size', text);
  if (parsed.ok && parsed.value >= 0) return parsed.value;
  const message = `--quota ${text}: ${parsed.ok ? 'a size of 0 B or more' : parsed.expected} expected`;
  throw new EdgeError('config.invalid', { operation: 'open coordinator', subject: '--quota', message });
}
