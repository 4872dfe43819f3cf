import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, type EventPayload, type NewEvent } from '../contract/core.ts';

export type Adopted = { readonly bag: string; readonly segments: readonly EventPayload<'segment.sealed'>[] };
type Note = {
  readonly segment: EventPayload<'segment.sealed'>;
  readonly losses?: EventPayload<'losses.recorded'>;
};

const NOTE = '.sealed.json';
/** Larger than the note of a segment with as many topics as a ledger may have. */
const NOTE_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Enters the segments of an imported bag into the log. Such a bag was put into the data directory as a whole. Each
 * note beside a segment becomes events and is then removed. A second call does no harm: readers of the log know a
 * segment by path and hash. `onAdopted` is called for each segment when it is in the log, also where a later one
 * fails. Throws `bag.malformed` for a bag that is missing, or for a note that does not fit its segment.
 */
export async function adoptBag(
  dataDir: string,
  bag: string,
  emit: (events: readonly NewEvent[]) => Promise<unknown>,
  onAdopted: (segment: EventPayload<'segment.sealed'>) => void = () => {},
): Promise<Adopted> {
  const fault = (message: string, hint = '') =>
    new EdgeError('bag.malformed', { operation: 'adopt bag', subject: bag, message, hint });
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(bag)) throw fault('not the name of a bag');
  const folder = join(dataDir, 'bags', bag);
  const names = await readdir(folder).catch(() => {
    throw fault(`there is no bag ${bag} in the data directory`, 'auraison bag import puts one there');
  });
  const segments: EventPayload<'segment.sealed'>[] = [];
  for (const name of names.filter((one) => one.endsWith(NOTE)).sort()) {
    const path = join(folder, name);
    if ((await stat(path)).size > NOTE_BYTES_MAX) throw fault(`${name} is no note of a segment`);
    const { segment, losses } = parse(await readFile(path, 'utf8'), () =>
      fault(`${name} is no note of a segment`),
    );
    const file = `bags/${bag}/${name.slice(0, -NOTE.length)}`;
    const size = (await stat(join(dataDir, file)).catch(() => undefined))?.size;
    if (segment?.path !== file || segment.bag !== bag || size !== segment.bytes) {
      throw fault(`${name} does not fit its segment`, 'import the recording again under another name');
    }
    await emit([
      { kind: 'segment.sealed', payload: segment },
      ...(losses ? [{ kind: 'losses.recorded', payload: losses } as const] : []),
    ]);
    onAdopted(segment);
    await unlink(path);
    segments.push(segment);
  }
  return { bag, segments };
}

function parse(text: string, fault: () => EdgeError): Note {
  try {
    return JSON.parse(text) as Note;
  } catch {
    throw fault();
  }
}
