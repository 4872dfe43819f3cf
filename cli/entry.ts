/**
 * Where the command line starts. The emergency stop loads only what it needs: a person waits for it, and all of the
 * commands together take several times as long to load.
 */
import '../daemon/no-telemetry.ts';
import { isStop } from './is-stop.ts';

await (isStop(process.argv.slice(2)) ? import('./stop-main.ts') : import('./main.ts'));
