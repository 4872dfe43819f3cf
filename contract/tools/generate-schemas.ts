/** Writes contract/schema/v1/*.json. `npm run schemas` after a deliberate change; a golden test holds them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { schemaFiles } from './schema-files.ts';

const directory = join(import.meta.dirname, '..', 'schema', 'v1');
mkdirSync(directory, { recursive: true });
for (const [name, body] of schemaFiles()) writeFileSync(join(directory, name), body);
