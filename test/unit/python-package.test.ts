import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const CLIENT = join(ROOT, 'clients', 'python');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

const folder = mkdtempSync(join(tmpdir(), 'python-package-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = {
  ...process.env,
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONPATH: '',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
};
const python = async (...args: string[]) =>
  (await run('python3', args, { cwd: folder, env, timeout: 60_000 })).stdout.trim();
const build = (kind: string) =>
  python(
    '-c',
    `import sys; sys.path.insert(0, sys.argv[1]); import build_backend as b; print(b.${kind}("."))`,
    CLIENT,
  );
const hasPip = await python('-m', 'pip', '--version').then(
  () => true,
  () => false,
);

describe('the package of the Python clients', () => {
  it('is a wheel of the version of the project, with the modules and a record of every file', async () => {
    const wheel = await build('build_wheel');
    expect(wheel).toBe(`auraison_client-${version}-py3-none-any.whl`);
    const checked = await python(
      '-c',
      `import base64, csv, hashlib, io, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
names = set(archive.namelist())
for name, digest, size in csv.reader(io.StringIO(archive.read([n for n in names if n.endswith("/RECORD")][0]).decode())):
    names.discard(name)
    if not digest: continue
    data = archive.read(name)
    assert len(data) == int(size), name
    assert "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode() == digest, name
print(sorted(names))
sys.path.insert(0, sys.argv[1])
import auraison_client, auraison_runtime
print(auraison_client.connect.__module__, auraison_client.__file__.startswith(sys.argv[1]), auraison_runtime.serve.__name__)`,
      wheel,
    );
    expect(checked.split('\n')).toEqual(['[]', 'auraison_client True serve']);
    const again = readFileSync(join(folder, wheel));
    await build('build_wheel');
    expect(readFileSync(join(folder, wheel)).equals(again)).toBe(true);
  });

  it('is a source archive that holds what builds it', async () => {
    const name = await build('build_sdist');
    const listed = await python(
      '-c',
      'import sys, tarfile; print(*tarfile.open(sys.argv[1]).getnames())',
      name,
    );
    const stem = `auraison_client-${version}`;
    expect(listed.split(' ')).toEqual(
      expect.arrayContaining(
        ['pyproject.toml', 'build_backend.py', 'README.md', 'PKG-INFO'].map((file) => `${stem}/${file}`),
      ),
    );
  });

  it.skipIf(!hasPip)('is installed by pip without a network', async () => {
    await python('-m', 'pip', 'install', '--quiet', '--no-index', '--target', 'site', CLIENT);
    expect(readdirSync(join(folder, 'site'))).toEqual(
      expect.arrayContaining(['auraison_client.py', 'auraison_runtime.py', 'auraison_pydantic_ai.py']),
    );
  });
});
