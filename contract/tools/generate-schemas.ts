/** Writes contract/schema/v1/*.json, contract/schema/fits.ts, motion-fits.ts, bodies-fits.ts and bodies-parts.ts. `npm run schemas` after a deliberate change; a golden test holds them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bodiesFitsFile, bodiesPartsFile, fitsFile, motionFitsFile } from './fits-file.ts';
import { schemaFiles } from './schema-files.ts';

const directory = join(import.meta.dirname, '..', 'schema', 'v1');
mkdirSync(directory, { recursive: true });
for (const [name, body] of schemaFiles()) writeFileSync(join(directory, name), body);
writeFileSync(join(directory, '..', 'fits.ts'), fitsFile());
writeFileSync(join(directory, '..', 'motion-fits.ts'), motionFitsFile());
writeFileSync(join(directory, '..', 'bodies-fits.ts'), bodiesFitsFile());
writeFileSync(join(directory, '..', 'bodies-parts.ts'), bodiesPartsFile());
