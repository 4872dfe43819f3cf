import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LongestFirst } from '../../scripts/testing/longest-first.mjs';
import {
  closingLines,
  type FileReport,
  failuresOf,
  type LaneResult,
  UNSTEADY_FILES_MAX,
  verdictOf,
} from '../../scripts/testing/verdict.mjs';

/** What `npm test` makes of the reports of its lanes. */
const file = (name: string, ok: boolean, project = 'unit'): FileReport => ({
  ...{ project, file: name, ok },
  ...{ passed: ok ? 10 : 9, failed: ok ? 0 : 1, skipped: 0 },
});
const lane = (
  name: string,
  files: readonly FileReport[],
  errors: { message: string; file?: string }[] = [],
) => {
  const code = files.every(({ ok }) => ok) && errors.length === 0 ? 0 : 1;
  return { name, code, report: { files, errors } } satisfies LaneResult;
};
const again = (name: string, ok: boolean) => lane(name, [file(name, ok)]);

it('vitest retries no test where it stands', () => {
  const config = readFileSync(join(import.meta.dirname, '..', '..', 'vitest.config.ts'), 'utf8');
  expect(config).not.toMatch(/\bretry\s*:/);
});

it('the longest files are taken first, unlisted ones last', async () => {
  const folder = join(import.meta.dirname, '..', '..');
  const seconds: Record<string, number> = JSON.parse(
    readFileSync(join(folder, 'scripts', 'testing', 'seconds.json'), 'utf8'),
  );
  const names = ['test/unit/not-listed.test.ts', ...Object.keys(seconds)];
  const files = names.map((name) => ({ moduleId: join(folder, name) }));
  const sorted = await new LongestFirst({} as never).sort(files as never);
  const listed = sorted.map(({ moduleId }) => seconds[moduleId.slice(folder.length + 1)] ?? 0);
  expect(listed).toEqual(listed.toSorted((a, b) => b - a));
});

describe('a whole run', () => {
  it('that is green repeats nothing and closes with its counts', () => {
    const lanes = [
      lane('unit', [file('a', true), file('b', true)]),
      lane('peers', [file('c', true, 'peers')]),
    ];
    expect(failuresOf(lanes)).toEqual({ files: [], lost: [] });
    const verdict = verdictOf(lanes, []);
    expect(verdict.ok).toBe(true);
    expect(closingLines(verdict, 61)).toEqual(['all tests: passed in 61 s', '30 passed, 0 failed']);
  });

  it('passes with a file that passed alone, and names it as unsteady', () => {
    const lanes = [lane('unit', [file('a', false), file('b', true)])];
    expect(failuresOf(lanes).files).toEqual([{ project: 'unit', file: 'a' }]);
    const verdict = verdictOf(lanes, [again('a', true)]);
    expect(verdict).toMatchObject({ ok: true, unsteady: ['a'], failed: [] });
    expect(closingLines(verdict, 5)).toEqual([
      'unsteady: a failed in the run and passed alone',
      'all tests: passed in 5 s',
      '20 passed, 0 failed, 1 unsteady file',
    ]);
  });

  it('fails with a file that failed twice, or was not repeated', () => {
    const lanes = [lane('unit', [file('a', false), file('b', false)])];
    const verdict = verdictOf(lanes, [again('a', false)]);
    expect(verdict).toMatchObject({ ok: false, unsteady: [], failed: ['a', 'b'], failedTests: 2 });
    expect(closingLines(verdict, 5).at(-1)).toBe('18 passed, 2 failed');
  });

  it(`tolerates ${UNSTEADY_FILES_MAX} unsteady files, not one more`, () => {
    const names = Array.from({ length: UNSTEADY_FILES_MAX + 1 }, (_, i) => `file-${i}`);
    const run = (count: number) => {
      const chosen = names.slice(0, count);
      return verdictOf(
        [
          lane(
            'unit',
            chosen.map((name) => file(name, false)),
          ),
        ],
        chosen.map((name) => again(name, true)),
      );
    };
    expect(run(UNSTEADY_FILES_MAX).ok).toBe(true);
    expect(run(UNSTEADY_FILES_MAX + 1)).toMatchObject({ ok: false, failed: [] });
    expect(closingLines(run(UNSTEADY_FILES_MAX + 1), 5).join('\n')).toContain('all tests: FAILED');
  });

  it('counts the files of all lanes: one failure in each of four lanes is too many', () => {
    const lanes = ['a', 'b', 'c', 'd'].map((name) => lane(`lane ${name}`, [file(name, false)]));
    const repeated = ['a', 'b', 'c', 'd'].map((name) => again(name, true));
    expect(verdictOf(lanes, repeated).ok).toBe(false);
  });
});

describe('an error outside of tests', () => {
  it('that names its file has that file repeated, though its tests passed', () => {
    const lanes = [lane('unit', [file('a', true), file('b', true)], [{ message: 'late', file: 'a' }])];
    expect(failuresOf(lanes)).toEqual({ files: [{ project: 'unit', file: 'a' }], lost: [] });
    expect(verdictOf(lanes, [again('a', true)])).toMatchObject({ ok: true, unsteady: ['a'] });
    const late = [lane('a', [file('a', true)], [{ message: 'late', file: 'a' }])];
    expect(verdictOf(lanes, late)).toMatchObject({ ok: false, failed: ['a'] });
  });

  it('that names none fails the run, unless a file failed beside it', () => {
    const alone = [lane('unit', [file('a', true)], [{ message: 'worker gone' }])];
    expect(verdictOf(alone, [])).toMatchObject({
      ok: false,
      reasons: ['unit: outside of tests: worker gone'],
    });
    const beside = [lane('unit', [file('a', false)], [{ message: 'worker gone' }])];
    expect(verdictOf(beside, [again('a', true)])).toMatchObject({ ok: true, unsteady: ['a'] });
  });
});

describe('a lane that says nothing', () => {
  it.each<[string, LaneResult]>([
    ['died without a report', { name: 'unit', code: 139, report: undefined }],
    ['died without a report and says 0', { name: 'unit', code: 0, report: undefined }],
    ['ran no test', { name: 'unit', code: 0, report: { files: [], errors: [] } }],
    ['failed where no file did', { name: 'unit', code: 1, report: { files: [file('a', true)], errors: [] } }],
  ])('fails the run: it %s', (_, silent) => {
    const verdict = verdictOf([silent, lane('peers', [file('c', true, 'peers')])], []);
    expect(verdict.ok).toBe(false);
    expect(verdict.reasons).toHaveLength(1);
  });
});
