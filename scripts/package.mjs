// npm run package -- --bundle DIR --out DIR: packages made from a bundle, which stays the one source of what a robot runs.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { COMPRESSIONS, makeDeb } from './package/deb.mjs';
import { Refused } from './package/refused.mjs';
import { makeTarball } from './package/tarball.mjs';

const HELP = `npm run package -- --bundle DIR --out DIR [--version V] [--compression C] [--maintainer TEXT] [--json]
npm run package -- --npm --out DIR [--json]

Makes a Debian package from a bundle (npm run bundle), or a tarball for npm install --global.

  --bundle DIR      the bundle; its processor is that of the package
  --npm             the tarball of npm, for machines with Node 20 or later and a registry
  --out DIR         where the file is written
  --version V       of the Debian package; that of the bundle where it is absent
  --compression C   ${COMPRESSIONS.join(', ')}; xz where it is absent: the smallest, and a minute of work
  --maintainer M    "Name <address>" of the one who publishes it

Examples:
  npm run bundle -- --out /tmp/edge && npm run package -- --bundle /tmp/edge --out /tmp
  npm run bundle -- --arch arm64 --out /tmp/edge-arm64 && npm run package -- --bundle /tmp/edge-arm64 --out /tmp`;

try {
  const { values } = parseArgs({
    options: {
      bundle: { type: 'string' },
      npm: { type: 'boolean', default: false },
      out: { type: 'string' },
      version: { type: 'string' },
      compression: { type: 'string', default: 'xz' },
      maintainer: { type: 'string', default: 'Auraison Edge <noreply@example.com>' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) console.log(HELP);
  else {
    if (!values.out) throw new Refused('--out DIR is missing; see npm run package -- --help');
    if (!values.npm && !values.bundle)
      throw new Refused('--bundle DIR or --npm is missing; see npm run package -- --help');
    mkdirSync(resolve(values.out), { recursive: true });
    const made = values.npm ? makeTarball(values) : makeDeb(values);
    console.log(values.json ? JSON.stringify(made) : `${(made.bytes / 1e6).toFixed(1)} MB  ${made.file}`);
  }
} catch (error) {
  console.error(`package: ${error.message}`);
  if (!(error instanceof Refused) && error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION')
    console.error(error.stack);
  process.exit(1);
}
