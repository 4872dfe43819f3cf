import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeFolder } from '../../adapters/skills/index.ts';
import { PACKAGES, type Package, writePackage } from '../support/skill-packages.ts';

/** Our verdicts on packages beside those of the reference validator of the format, `skills-ref` from PyPI. */
const peers = join(import.meta.dirname, '..', 'peers');

type Reference = {
  readonly errors: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly body?: string;
};

describe('the Agent Skills reference validator', () => {
  let python: string;
  let root: string;
  beforeAll(() => {
    python = execFileSync(join(peers, 'skills.sh'), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
    root = mkdtempSync(join(tmpdir(), 'skills-'));
  }, 300_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function compare(packages: readonly Package[]): { valid: number; differ: string[] } {
    const folders = packages.map((one) => writePackage(one, root));
    const output = execFileSync(python, [join(peers, 'skills_verdicts.py')], {
      input: `${folders.join('\n')}\n`,
      encoding: 'utf8',
      env: { ...process.env, PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1' },
      maxBuffer: 1 << 28,
    });
    const references = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Reference);
    expect(references).toHaveLength(packages.length);
    const differ: string[] = [];
    let valid = 0;
    for (const [i, reference] of references.entries()) {
      const ours = judgeFolder(folders[i]!);
      if (reference.errors.length === 0) valid += 1;
      const same =
        ours.ok === (reference.errors.length === 0) &&
        (!ours.ok ||
          (ours.skill.body === reference.body &&
            ours.skill.description === String(reference.metadata?.['description']).trim()));
      if (!same) {
        const said = ours.ok ? { valid: ours.skill.description, body: ours.skill.body } : ours.problems;
        differ.push(
          `${packages[i]!.about}: ours ${JSON.stringify(said)}, reference ${JSON.stringify(reference)}, ` +
            `text ${JSON.stringify(String(packages[i]!.text)).slice(0, 300)}`,
        );
      }
    }
    return { valid, differ };
  }

  it('judges every chosen package as we do, and sees the same description and body', () => {
    const { valid, differ } = compare(PACKAGES);
    expect(differ).toEqual([]);
    expect(PACKAGES.length).toBeGreaterThan(140);
    expect(valid).toBeGreaterThan(40);
    expect(PACKAGES.length - valid).toBeGreaterThan(60);
  }, 120_000);

  it('judges packages made by chance as we do', () => {
    const word = fc.constantFrom(
      'name',
      'description',
      'license',
      'metadata',
      'a-skill',
      'x',
      ':',
      ': ',
      ' ',
      '  ',
      '\n',
      '\n  ',
      '- ',
      '"',
      "'",
      '#',
      ' #',
      '|',
      '>',
      '---',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&',
      '*',
      '!',
      '?',
      '%',
      '@',
      '~',
      'é',
      '\\',
    );
    const text = fc.array(word, { maxLength: 14 }).map((words) => words.join(''));
    const seed = 20_261_121;
    const packages = fc.sample(text, { seed, numRuns: 400 }).map(
      (value, i): Package => ({
        about: `seed ${seed}, package ${i}`,
        folder: 'a-skill',
        text: `---\nname: a-skill\ndescription: ${value}\n---\nbody`,
      }),
    );
    const { valid, differ } = compare(packages);
    expect(differ).toEqual([]);
    expect(valid).toBeGreaterThan(40);
  }, 120_000);
});
