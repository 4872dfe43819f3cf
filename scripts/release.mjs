// npm run release -- …: signs the files of a release, and verifies them. Stock tools verify them too: docs/install.md.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Refused } from './package/refused.mjs';
import { newKey, sign, verify } from './release/signed-sums.mjs';

const HELP = `npm run release -- new-key KEY
npm run release -- sign DIR --key KEY [--json]
npm run release -- verify DIR --public-key PUB [--json]

  new-key   makes an Ed25519 key: KEY (private, only for you) and KEY.pub, which you publish
  sign      writes DIR/SHA256SUMS, a line for each file of DIR, and DIR/SHA256SUMS.sig
  verify    checks the signature and each file; files that are missing, changed or not named are errors

Examples:
  npm run release -- new-key ~/release.key
  npm run release -- sign ./release --key ~/release.key
  npm run release -- verify ./release --public-key ~/release.key.pub`;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: 'string' },
      'public-key': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [command, path, ...more] = positionals;
  const say = (result, text) => console.log(values.json ? JSON.stringify(result) : text);
  if (values.help) console.log(HELP);
  else if (path === undefined || more.length > 0)
    throw new Refused('one command and one path; see npm run release -- --help');
  else if (command === 'new-key') {
    const made = newKey(resolve(path));
    say(made, `${made.private_key} (keep it secret)\n${made.public_key} (publish it)`);
  } else if (command === 'sign') {
    if (!values.key) throw new Refused('--key KEY is missing; npm run release -- new-key KEY makes one');
    const signed = sign(resolve(path), resolve(values.key));
    say(signed, `${signed.files} files signed: ${signed.sums}, ${signed.signature}`);
  } else if (command === 'verify') {
    if (!values['public-key']) throw new Refused('--public-key PUB is missing');
    const verified = verify(resolve(path), resolve(values['public-key']));
    say(verified, `${verified.files} files are as they were signed`);
  } else throw new Refused(`${command} is no command of it; see npm run release -- --help`);
} catch (error) {
  console.error(`release: ${error.message}`);
  if (!(error instanceof Refused) && !`${error.code}`.startsWith('ERR_PARSE_ARGS'))
    console.error(error.stack);
  process.exit(1);
}
