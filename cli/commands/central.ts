import { join } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { EdgeError } from '../../contract/core.ts';
import { isLoopbackHost } from '../../daemon/config/loopback.ts';
import { parseQuantity } from '../../daemon/config/quantity.ts';
import { readConfig } from '../../daemon/config.ts';
import { dataDirOf } from '../../daemon/paths.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput } from '../output.ts';
import { addCentralImportCommand } from './central-import.ts';
import { addMqttOptions, brokerOf, type MqttFlags } from './central-mqtt.ts';
import { addCentralRobotCommands } from './central-robots.ts';

type CentralOptions = GlobalOptions & {
  host: string;
  port: string;
  auth: 'token' | 'certificate' | 'none';
  quota: string;
  tls?: boolean;
  name: string[];
  tlsCert?: string;
  tlsKey?: string;
  clientCa?: string;
  plainHttp?: boolean;
} & MqttFlags;

export function addCentralCommand(program: Command): void {
  const central = addMqttOptions(
    program
      .command('central')
      .description(
        'run the reference coordinator, which receives events and recordings from robots and hands them orders, until Ctrl-C',
      )
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <number>', 'port to listen on; 0 picks a free one', '7602')
      .option('--quota <size>', 'files of all robots together; 0 B: as much as the disk has', '0 B')
      .option(
        '--auth <kind>',
        'token, certificate (robots show one; no tokens), or none (loopback only)',
        'token',
      )
      .option('--tls', 'speak https, with a certificate of its own authority')
      .option(
        '--name <name>',
        'a name or address under which robots reach it, for its certificate',
        collect,
        [],
      )
      .option('--tls-cert <path>', 'certificate (PEM, its authorities behind it) in place of its own')
      .option('--tls-key <path>', 'private key of --tls-cert')
      .option('--client-ca <path>', 'authorities (PEM) whose certificates count for robots, besides its own')
      .option('--plain-http', 'http on another address than loopback: a proxy before it speaks TLS'),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  auraison central --data-dir ./central-data\n  AURAISON_LINK_CENTRAL_URL=http://127.0.0.1:7602 AURAISON_LINK_TOKEN_FILE=./central-data/token auraison up\n  auraison central --tls --host 0.0.0.0 --name central.example --auth certificate\n  auraison central --tls --mqtt mqtts://broker.example:8883 --mqtt-user central --mqtt-password-file ./password',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CentralOptions>();
      const out = makeOutput(options.json === true);
      try {
        const dataDir = folderOf(options);
        const tls = tlsOf(options);
        const clock = new SystemClock();
        const broker = await brokerOf(options, clock);
        const { startCentral } = await import('../../central/start-central.ts');
        const central = await startCentral({
          dataDir,
          host: options.host,
          port: Number(options.port),
          auth: options.auth,
          ...(tls ? { tls } : {}),
          quotaBytes: quotaOf(options.quota),
          clock,
          ...(broker ? { broker } : {}),
          secrets: new FileSecrets(dataDir, String(process.pid)),
          report: (message, error) => out.note(`${message}: ${(error as Error)?.message ?? error}`),
        });
        out.result(
          { url: central.url, data_dir: dataDir },
          () =>
            `central listens at ${central.url}; data in ${dataDir}${credentialsText(options.auth, dataDir)}`,
        );
        const stop = () => void central.stop().then(() => process.exit(0));
        process.on('SIGTERM', stop);
        process.on('SIGINT', stop);
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
  addCentralRobotCommands(central, folderOf);
  addCentralImportCommand(central, folderOf, quotaOf);
}

function credentialsText(auth: CentralOptions['auth'], dataDir: string): string {
  if (auth === 'none') return '';
  const robots =
    auth === 'certificate'
      ? 'robots need a certificate (auraison central enrol NAME)'
      : `robots need the token in ${join(dataDir, 'token')}`;
  return `; ${robots}, who gives orders needs that in ${join(dataDir, 'operator-token')}`;
}

function folderOf({ dataDir }: GlobalOptions): string {
  return dataDir ?? join(dataDirOf(readConfig('', '', {}).config, process.env), 'central');
}

function tlsOf({ tls, name, tlsCert, tlsKey, clientCa, host, plainHttp }: CentralOptions) {
  if (tls !== true && tlsCert === undefined && tlsKey === undefined && clientCa === undefined) {
    if (isLoopbackHost(host) || plainHttp === true) return undefined;
    const message = `--host ${host}: over plain HTTP anybody on the way reads and changes what goes`;
    const hint = 'add --tls, or --plain-http where a proxy before it speaks TLS';
    throw new EdgeError('config.invalid', {
      operation: 'open coordinator',
      subject: '--host',
      message,
      hint,
    });
  }
  return {
    names: [...name, ...(/^(0\.0\.0\.0|::)$/.test(host) ? [] : [host])],
    ...(tlsCert === undefined ? {} : { certificate: tlsCert }),
    ...(tlsKey === undefined ? {} : { key: tlsKey }),
    ...(clientCa === undefined ? {} : { clients: clientCa }),
  };
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function quotaOf(text: string): number {
  const parsed = parseQuantity('size', text);
  if (parsed.ok && parsed.value >= 0) return parsed.value;
  const message = `--quota ${text}: ${parsed.ok ? 'a size of 0 B or more' : parsed.expected} expected`;
  throw new EdgeError('config.invalid', { operation: 'open coordinator', subject: '--quota', message });
}
