import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const STATES = /^(?:holds|in part: .+|not started)$/;

type Row = {
  readonly name: string;
  readonly requirement: string;
  readonly state: string;
  readonly places: readonly string[];
  readonly tests: readonly { readonly file: string; readonly name: string }[];
};

/** The rows of all tables, without their heads. */
function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:---|number|application) /.test(line))
    .map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      expect(cells, line).toHaveLength(7);
      const [, name, requirement, state, place, tests] = cells as string[];
      return {
        name: name!,
        requirement: requirement!,
        state: state!,
        places: [...place!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
        tests: [...tests!.matchAll(/`([^`]+)`: "([^"]+)"/g)].map((match) => ({
          file: match[1]!,
          name: match[2]!,
        })),
      };
    });
}

const rows = rowsOf(readFileSync(join(ROOT, 'docs/requirements.md'), 'utf8'));
const numbered = rows.filter((row) => row.name.startsWith('SYS-'));

describe('docs/requirements.md', () => {
  it('has every number from SYS-001 to SYS-022 once, in order', () => {
    expect(numbered.map((row) => row.name)).toEqual(
      Array.from({ length: 22 }, (_, i) => `SYS-${String(i + 1).padStart(3, '0')}`),
    );
  });

  it('has the applications that are in the repository', () => {
    const places = new Set(rows.flatMap((row) => row.places));
    const apps = readdirSync(join(ROOT, 'apps'), { withFileTypes: true }).filter((one) => one.isDirectory());
    expect(apps.length).toBeGreaterThan(2);
    expect(apps.map(({ name }) => `apps/${name}`).filter((place) => !places.has(place))).toEqual([]);
  });

  it.each(rows)('$name: has one sentence, a state of the list, and places that exist', (row) => {
    expect(row.requirement).toMatch(/^[A-Z].*[^.]\.$/);
    expect(row.requirement).not.toMatch(/\. [A-Z]/);
    expect(row.state).toMatch(STATES);
    expect(row.places.length).toBeGreaterThan(0);
    expect(row.places.filter((place) => !existsSync(join(ROOT, place)))).toEqual([]);
  });

  it.each(rows)('$name: names tests that exist, unless nothing is started', (row) => {
    if (row.state !== 'not started') expect(row.tests.length).toBeGreaterThan(0);
    const missing = row.tests.filter(({ file, name }) => !holdsTest(file, name));
    expect(missing).toEqual([]);
  });
});

/** Whether the file has a test of exactly this name. */
function holdsTest(file: string, name: string): boolean {
  const path = join(ROOT, file);
  if (!existsSync(path)) return false;
  const text = readFileSync(path, 'utf8');
  return ["'", '"', '`'].some((quote) => text.includes(`${quote}${name}${quote},`));
}
