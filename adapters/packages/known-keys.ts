type Schema = {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
};

/** Names that may stand at a place of a value, by its schema; undefined: any. */
export function knownKeys(schema: unknown, path: readonly string[]): readonly string[] | undefined {
  const here = partAt(schema, path);
  return here?.properties && Object.keys(here.properties);
}

/** What stands at a place of a value, in words of its schema; undefined: it says none. */
export function meaningOf(schema: unknown, path: readonly string[]): string | undefined {
  return partAt(schema, path)?.description;
}

function partAt(schema: unknown, path: readonly string[]): Schema | undefined {
  let here = schema as Schema | undefined;
  for (const part of path) {
    const within: Schema | undefined = here?.items ?? here?.anyOf?.find(({ items }) => items)?.items;
    const any = Object.values(here?.patternProperties ?? {})[0];
    here = /^\d+$/.test(part) ? within : (here?.properties?.[part] ?? any);
  }
  return here;
}

/** The known name that was probably meant; undefined: none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const squash = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const same = known.find((one) => squash(one) === squash(name));
  if (same !== undefined) return same;
  const begun = known.find((one) => one.length > 2 && (one.startsWith(name) || name.startsWith(one)));
  if (begun !== undefined) return begun;
  const near = known.map((one) => ({ one, off: distance(one, name) })).sort((a, b) => a.off - b.off)[0];
  return near && near.off <= Math.min(2, Math.floor(name.length / 3)) ? near.one : undefined;
}

/** Edits between two short words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
