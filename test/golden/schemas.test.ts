import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bodiesFitsFile, bodiesPartsFile, fitsFile, motionFitsFile } from '../../contract/tools/fits-file.ts';
import { schemaFiles } from '../../contract/tools/schema-files.ts';

const directory = join(import.meta.dirname, '..', '..', 'contract', 'schema', 'v1');

it.each(schemaFiles())(
  '%s is what the contract says (npm run schemas after a deliberate change)',
  (name, body) => {
    expect(readFileSync(join(directory, name), 'utf8')).toBe(body);
  },
);

it('fits.ts, motion-fits.ts, bodies-fits.ts and bodies-parts.ts are what the contract says (npm run schemas after a deliberate change)', () => {
  expect(readFileSync(join(directory, '..', 'fits.ts'), 'utf8')).toBe(fitsFile());
  expect(readFileSync(join(directory, '..', 'motion-fits.ts'), 'utf8')).toBe(motionFitsFile());
  expect(readFileSync(join(directory, '..', 'bodies-fits.ts'), 'utf8')).toBe(bodiesFitsFile());
  expect(readFileSync(join(directory, '..', 'bodies-parts.ts'), 'utf8')).toBe(bodiesPartsFile());
});
