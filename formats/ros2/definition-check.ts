/**
 * Looks at the text of a definition before `@foxglove/rosmsg` does. Definitions come with bags and from other hosts,
 * and its patterns take time that doubles with each character of a name that they refuse, or grows with the square of
 * a line: what passes here is read in time that grows with its length.
 */

/** Characters of a definition with all of its parts; the longest of common ROS packages have some 50,000. */
const TEXT_MAX = 1 << 18;
/** Types that one definition holds; each field is looked up among all of them. */
const PARTS_MAX = 1024;
/** Characters of a line that is no comment. */
const LINE_MAX = 4096;

/** Type, bounds, then the name. A line that does not begin like this is refused by the parser at once. */
const BEGINNING = /^[A-Za-z0-9_/]+(?:<=\d+)?(?:\[(?:<=)?\d*\])?\s+(?<name>[A-Za-z0-9_]+)/;
const FIELD = /^[a-z][a-z0-9_]*$/;
const CONSTANT = /^[A-Z][A-Z0-9_]*$/;

/** Why `text` is not parsed, in words that go on after its type; undefined when nothing speaks against it. */
export function refusal(text: string): string | undefined {
  if (text.length > TEXT_MAX)
    return `the definition has ${text.length} characters; at most ${TEXT_MAX} are read`;
  let parts = 1;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (line.length > LINE_MAX)
      return `line ${index + 1} has ${line.length} characters; at most ${LINE_MAX} are read`;
    if (line.startsWith('==') && ++parts > PARTS_MAX) return `the definition holds over ${PARTS_MAX} types`;
    const name = line.startsWith('==') ? undefined : BEGINNING.exec(line)?.groups?.name;
    if (name !== undefined && !isName(name))
      return `line ${index + 1}: ${name.slice(0, 80)} is no name of a field (lower_case) or of a constant (UPPER_CASE)`;
  }
  return undefined;
}

/** As rosidl has it: one case, one underscore at a time, none at the end. */
function isName(name: string): boolean {
  return (FIELD.test(name) || CONSTANT.test(name)) && !name.includes('__') && !name.endsWith('_');
}
