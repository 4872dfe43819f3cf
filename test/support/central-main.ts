import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { startCentral } from '../../central/start-central.ts';

/** The coordinator as a process of its own, for tests that kill it: `central-main.ts DIRECTORY PORT`. */
const [dataDir, port] = process.argv.slice(2) as [string, string];
const running = await startCentral({
  dataDir,
  host: '127.0.0.1',
  port: Number(port),
  clock: new SystemClock(),
  secrets: new FileSecrets(dataDir, String(process.pid)),
});
process.stdout.write(`${JSON.stringify({ url: running.url })}\n`);
process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)));
