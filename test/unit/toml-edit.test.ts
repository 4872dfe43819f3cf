import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addRow, moveRowFirst, removeRow, removeTable, setKeys } from '../../daemon/config/toml-edit.ts';
import { tomlOf } from '../../daemon/config.ts';

const FILE = `# the robot of the lab
[daemon]
name = "seven" # as on its side

# near
[[models]]
name = "a" # first
url = "http://a/v1"

# far
[[models]]
name = "b"

[engine]
model_name = "a"
port = 8000 # of the server
`;
const names = (source: string) =>
  ((tomlOf(source) as { models?: { name: string }[] }).models ?? []).map(({ name }) => name);

describe('edits of a configuration file', () => {
  it('add a row before or after the others, and leave every other line', () => {
    const last = addRow(FILE, 'models', { name: 'c', vision: true, cost_in: 0.5, env: ['A=1'] }, false);
    expect(names(last)).toEqual(['a', 'b', 'c']);
    expect(last).toContain('vision = true\ncost_in = 0.5\nenv = ["A=1"]');
    expect(names(addRow(FILE, 'models', { name: 'c' }, true))).toEqual(['c', 'a', 'b']);
    for (const line of FILE.split('\n')) expect(last.split('\n')).toContain(line);
    expect(addRow('', 'models', { name: 'c' }, true)).toBe('[[models]]\nname = "c"\n');
  });

  it('move and remove a row with its own comment', () => {
    const moved = moveRowFirst(FILE, 'models', 1);
    expect(names(moved)).toEqual(['b', 'a']);
    expect(moved).toMatch(/# far\n\[\[models]]\nname = "b"\n\n# near\n\[\[models]]\nname = "a" # first/);
    const removed = removeRow(FILE, 'models', 1);
    expect(names(removed)).toEqual(['a']);
    expect(removed).not.toContain('# far');
    expect(removed).toContain('[engine]');
  });

  it('set keys of a table, keep comments behind them, make it where it is missing, take it out', () => {
    const set = setKeys(FILE, 'engine', { port: 9000, model: 'm' });
    expect(tomlOf(set)['engine']).toEqual({ model_name: 'a', port: 9000, model: 'm' });
    expect(set).toContain('port = 9000 # of the server');
    expect(tomlOf(setKeys('', 'engine', { port: 1 }))['engine']).toEqual({ port: 1 });
    expect(tomlOf(removeTable(FILE, 'engine'))).not.toHaveProperty('engine');
  });

  it('mean what they say, whatever the values are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.string(), note: fc.string() }), { maxLength: 5 }),
        fc.nat({ max: 4 }),
        (rows, pick) => {
          let source = FILE.replace(/# near[\s\S]*(?=\[engine])/, '');
          for (const row of rows) source = addRow(source, 'models', row, false);
          expect(names(source)).toEqual(rows.map(({ name }) => name));
          const left = rows.filter((_, index) => index !== pick).map(({ name }) => name);
          expect(names(removeRow(source, 'models', pick))).toEqual(left);
        },
      ),
    );
  });
});
