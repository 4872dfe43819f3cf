import { faultText } from '../../adapters/packages/index.ts';
import type { Application } from '../../contract/index.ts';
import { judgeWhole } from '../../daemon/compose/package-reader.ts';

/** The application of these files, as the daemon would have it. Throws with every fault, one a line. */
export function packageApp(files: Readonly<Record<string, string>>): Application {
  const bytes = Object.entries(files).map(([path, text]) => ({
    path,
    bytes: new TextEncoder().encode(text),
  }));
  const read = judgeWhole(
    { ok: true, files: bytes, signature: undefined },
    { keys: new Map(), requireSigned: false },
  );
  if (!read.ok) throw new Error(read.faults.map(faultText).join('\n'));
  return read.make('/nowhere');
}

/** What is wrong with such files, one fault a line; empty: nothing. */
export function packageFaults(files: Readonly<Record<string, string>>): string {
  try {
    packageApp(files);
    return '';
  } catch (thrown) {
    return (thrown as Error).message;
  }
}
