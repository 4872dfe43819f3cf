/** Rows of the configuration as the page shows them, narrowed down by words. Pure. */
import type {
  ConfigView as ConfigInForce,
  ConfigKeyView,
  ConfigTaking,
} from '../../../contract/ports/config.ts';

/** What `GET /v1/config` answers. */
export type ConfigView = ConfigInForce & { readonly taking: ConfigTaking };

export type Shown = {
  /** `recorder.sync_interval`, or `models[local].url`. */
  readonly path: string;
  readonly value: string;
  readonly from: string;
  readonly about: string;
  readonly pending?: string;
  readonly isSet: boolean;
  /** A single key that a change can set; absent: rows of lists, and what the environment decides. */
  readonly canSet?: true;
};

/** Every value by its path, in the order of the configuration. */
export function rowsOf({ sections, lists }: ConfigView): readonly Shown[] {
  const keys = sections.flatMap(({ name, keys: found }) =>
    found.map(
      (one): Shown => ({
        path: `${name}.${one.key}`,
        value: one.value,
        from: fromOf(one),
        about: one.about,
        ...(one.pending === undefined ? {} : { pending: one.pending }),
        isSet: one.source !== 'default',
        ...(one.source === 'environment' || one.value.includes('(hidden)') ? {} : { canSet: true }),
      }),
    ),
  );
  const rows = lists.flatMap(({ name, rows: found, pending }) =>
    found.flatMap((row) =>
      Object.entries(row.values).map(
        ([key, value]): Shown => ({
          path: `${name}[${row.name}].${key}`,
          value,
          from: row.line === undefined ? 'file' : `line ${row.line}`,
          about: pending ? 'the rows in force are others until a reload' : '',
          isSet: true,
        }),
      ),
    ),
  );
  return [...keys, ...rows];
}

/** Those that hold every word, in path, value or meaning. */
export function narrowed(rows: readonly Shown[], words: string, onlySet: boolean): readonly Shown[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    const text = `${row.path} ${row.value} ${row.about} ${row.from}`.toLowerCase();
    return (
      (!onlySet || row.isSet || row.pending !== undefined) && wanted.every((word) => text.includes(word))
    );
  });
}

function fromOf({ source, line, variable }: ConfigKeyView): string {
  if (source === 'environment') return variable ?? source;
  return source === 'file' && line !== undefined ? `line ${line}` : source;
}

/** Where a line of a text starts and ends, characters: to choose it in a field. */
export function lineAt(text: string, line: number): readonly [from: number, to: number] {
  const lines = text.split('\n');
  const from = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return [from, from + (lines[line - 1]?.length ?? 0)];
}
