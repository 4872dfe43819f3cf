/** Writes the table of docs/tools.md from the code: `node scripts/tools-doc.ts`. A test holds it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTable } from '../test/support/tools-table.ts';

const path = join(import.meta.dirname, '..', 'docs', 'tools.md');
writeFileSync(path, withTable(readFileSync(path, 'utf8')));
