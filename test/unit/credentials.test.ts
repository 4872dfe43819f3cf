import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readSecret } from '../../daemon/secrets.ts';
import { freshDir } from '../support/daemon.ts';

const folder = freshDir('credentials');
const env = { CREDENTIALS_DIRECTORY: folder.path };
afterAll(() => folder.remove());

it('reads a credential by its name, also one of the folder that the unit loads', () => {
  writeFileSync(join(folder.path, 'secret_api'), 'of-the-folder\n');
  expect(readSecret('credential:api', 'api.token_file', env)).toBe('of-the-folder');
  writeFileSync(join(folder.path, 'api'), 'of-its-own\n');
  expect(readSecret('credential:api', 'api.token_file', env)).toBe('of-its-own');
});

it('says where a credential that is missing belongs', () => {
  const missing = (variables: Record<string, string>) => {
    try {
      readSecret('credential:link', 'link.token_file', variables);
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(missing(env)).toMatchObject({
    subject: 'link.token_file',
    hint: expect.stringContaining('/etc/auraison-edge/secrets/link'),
  });
  expect(missing({})).toMatchObject({ hint: expect.stringContaining('/etc/auraison-edge/secrets/link') });
});
