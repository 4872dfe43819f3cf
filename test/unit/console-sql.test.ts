import { describe, expect, it } from 'vitest';
import { type DiffRow, shownRows } from '../../console/src/compare/diff-rows.ts';
import { csvOf, isDrawable, numberOf } from '../../console/src/sql/rows.ts';
import { wordsAt } from '../../console/src/sql/words.ts';

/** What the pages of SQL and of two runs work out, without a page. */
const CATALOGUE = new Map([
  ['runs', ['run_id', 'status', 'reason']],
  ['segments', ['bag', 'bytes']],
]);
const offered = (text: string) => wordsAt(text, text.length, CATALOGUE)?.choices;

describe('completion of a statement', () => {
  it('offers tables after FROM and JOIN, and columns of the tables that are named', () => {
    expect(offered('SELECT * FROM r')).toEqual(['runs']);
    expect(offered('select * from runs join seg')).toEqual(['segments']);
    expect(offered('SELECT * FROM runs WHERE st')).toEqual(['status']);
    expect(offered('SELECT * FROM segments s WHERE s.b')).toEqual(['bag', 'bytes']);
    expect(offered('SELECT by')).toBeUndefined();
    expect(offered('sele')).toEqual(['SELECT']);
  });

  it('replaces the word before the cursor, and nothing within texts and comments', () => {
    const text = 'SELECT re FROM runs';
    expect(wordsAt(text, 9, CATALOGUE)).toEqual({ from: 7, to: 9, choices: ['reason'] });
    expect(offered("SELECT 'run")).toBeUndefined();
    expect(offered('SELECT 1 -- run')).toBeUndefined();
    expect(offered("-- it's\nSELECT * FROM r")).toEqual(['runs']);
  });
});

describe('an answer', () => {
  it('becomes CSV that no spreadsheet takes for formulas', () => {
    const columns = [
      { name: 'a', type: 'VARCHAR' },
      { name: 'b,c', type: 'DOUBLE' },
    ];
    const rows = [
      ['say "hi"', -1],
      ['=cmd()', null],
      ['-2.5', { x: 1 }],
    ];
    expect(csvOf({ columns, rows })).toBe(
      ['a,"b,c"', '"say ""hi""",-1', "'=cmd(),", '-2.5,"{""x"":1}"', ''].join('\r\n'),
    );
  });

  it('is drawn over numbers and times', () => {
    const time = { name: 't', type: 'TIMESTAMP_NS' };
    expect(numberOf('2023-11-14 22:13:20.5', time)).toBe(1_700_000_000.5);
    expect(numberOf('9007199254740993', { name: 'n', type: 'BIGINT' })).toBe(9007199254740992);
    expect(numberOf(null, time)).toBeNaN();
    expect(
      ['DOUBLE', 'UBIGINT', 'DECIMAL(3,1)', 'DATE', 'VARCHAR', 'INTEGER[]'].map((type) =>
        isDrawable({ name: '', type }),
      ),
    ).toEqual([true, true, true, true, false, false]);
  });
});

it('two runs are shown around their differences, and equal lines are counted', () => {
  const rows: DiffRow[] = Array.from({ length: 12 }, (_, i) => ({ same: i !== 6, a: i + 1, b: i + 1 }));
  const lines = shownRows({ rows }, false).map((one) =>
    one.kind === 'row' ? one.index : `${one.count} equal`,
  );
  expect(lines).toEqual(['4 equal', 4, 5, 6, 7, 8, '3 equal']);
  expect(shownRows({ rows }, true)).toHaveLength(12);
});
