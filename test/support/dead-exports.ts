/** A source of the project: its path, and its text. */
export type Source = readonly [name: string, text: string];

const DECLARATION = /^export (?:async )?(?:function\*?|const|let|class|enum) ([A-Za-z_$][\w$]*)/gm;
/** A barrel hands names on; that is no use of them. */
const BARREL = /^export (?:type )?\{[^}]*\}(?: from '[^']*')?;/gm;
const COMMENT = /^[ \t]*(?:\/\*[\s\S]*?\*\/|\/\/.*$)/gm;

/**
 * Exported values (functions, constants, classes) whose name no source says besides their declaration, comments and
 * barrels: only tests use them, or nothing does. Given as `path#name`, sorted. `sources`: the files that count as a use.
 */
export function deadExports(sources: readonly Source[]): string[] {
  const said = new Map<string, number>();
  const declared: { readonly at: string; readonly name: string }[] = [];
  for (const [at, text] of sources) {
    const code = text.replaceAll(COMMENT, '').replaceAll(BARREL, '');
    for (const [, name] of code.matchAll(DECLARATION)) declared.push({ at, name: name! });
    for (const [word] of code.matchAll(/[A-Za-z_$][\w$]*/g)) said.set(word, (said.get(word) ?? 0) + 1);
  }
  const declarations = Map.groupBy(declared, ({ name }) => name);
  return declared
    .filter(({ name }) => said.get(name)! <= declarations.get(name)!.length)
    .map(({ at, name }) => `${at}#${name}`)
    .sort();
}
