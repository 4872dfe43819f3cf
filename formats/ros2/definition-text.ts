/**
 * Reads the text of a definition before `@foxglove/rosmsg` does, and passes on only the needed parts: types, bounds,
 * names and defaults. Definitions come with bags and from other hosts, and the parser's patterns take time that doubles
 * with each character of a name that they refuse, and triples with each octal escape of a constant.
 */

/** Characters of a definition with all of its parts; the longest of common ROS packages have some 120,000. */
const TEXT_MAX = 1 << 18;
/** Types that one definition holds. */
const PARTS_MAX = 1024;
/** Each field is looked up among all types: how many such looks there may be. Common packages need some 200,000. */
const LOOKS_MAX = 2_000_000;
/** Characters of a line that is no comment. */
const LINE_MAX = 4096;
/** Octal escapes of a default that is read; the parser takes three times as long for each. */
const OCTALS_MAX = 8;

/** Type and bounds, then the name; what follows is a constant, a default, a comment or nothing. */
const FIELD_LINE =
  /^(?<field>[A-Za-z0-9_/]+(?:<=\d+)?(?:\[(?:<=)?\d*\])?\s+(?<name>[A-Za-z0-9_]+))(?=$|[\s#=])/;
const FIELD = /^[a-z][a-z0-9_]*$/;
const CONSTANT = /^[A-Z][A-Z0-9_]*$/;

/** Why a definition is not parsed, in words that follow its type. */
export class DefinitionFault extends Error {}

/** The definition without comments and constants, and without defaults that take too long. Throws `DefinitionFault`. */
export function bareDefinition(text: string): string {
  if (text.length > TEXT_MAX)
    throw new DefinitionFault(`the definition has ${text.length} characters; at most ${TEXT_MAX} are read`);
  const bare: string[] = [];
  let [parts, fields] = [1, 0];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `line ${index + 1}`;
    if (line.length > LINE_MAX)
      throw new DefinitionFault(`${where} has ${line.length} characters; at most ${LINE_MAX} are read`);
    if (line.startsWith('==')) {
      if (++parts > PARTS_MAX) throw new DefinitionFault(`the definition holds over ${PARTS_MAX} types`);
    } else if (!line.startsWith('MSG:')) {
      const { field, name } = fieldOf(line, where);
      // A constant is in no message.
      if (line.slice(field.length).trimStart().startsWith('=')) continue;
      if (++fields * parts > LOOKS_MAX)
        throw new DefinitionFault(`the definition has ${fields} fields beside ${parts} types: too many`);
      if (!FIELD.test(name)) throw notAName(name, where);
      bare.push(octals(line) > OCTALS_MAX ? field : line);
      continue;
    }
    bare.push(line);
  }
  return bare.join('\n');
}

function fieldOf(line: string, where: string): { field: string; name: string } {
  const { field, name } = FIELD_LINE.exec(line)?.groups ?? {};
  if (field === undefined || name === undefined)
    throw new DefinitionFault(`${where} is no field: ${line.slice(0, 80)}`);
  // As rosidl has it: one case, one underscore at a time, none at the end.
  const isName = (FIELD.test(name) || CONSTANT.test(name)) && !name.includes('__') && !name.endsWith('_');
  if (!isName) throw notAName(name, where);
  return { field, name };
}

function octals(line: string): number {
  return line.match(/\\[0-7]/g)?.length ?? 0;
}

function notAName(name: string, where: string): DefinitionFault {
  return new DefinitionFault(
    `${where}: ${name.slice(0, 80)} is no name of a field (lower_case) or of a constant (UPPER_CASE)`,
  );
}
