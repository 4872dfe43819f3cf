// SHA256SUMS as sha256sum writes it, and an Ed25519 signature over its bytes (RFC 8032), which openssl 3 verifies.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signs,
  verify as verifies,
} from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Refused } from '../package/refused.mjs';

const SUMS = 'SHA256SUMS';
const SIGNATURE = 'SHA256SUMS.sig';
const BLOCK = 1024 * 1024;

/** Writes `path` (mode 0600) and `path`.pub, PEM; neither may exist. */
export function newKey(path) {
  const open = `${path}.pub`;
  for (const file of [path, open])
    if (existsSync(file)) throw new Refused(`${file} exists; it is not replaced`);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(path, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  writeFileSync(open, publicKey.export({ type: 'spki', format: 'pem' }), { flag: 'wx' });
  return { private_key: path, public_key: open };
}

/** Writes SHA256SUMS and its signature into `folder`. */
export function sign(folder, keyFile) {
  const key = keyOf(keyFile, createPrivateKey, 'a private');
  if ((statSync(keyFile).mode & 0o077) !== 0)
    throw new Refused(`${keyFile} can be read by others: chmod 600 ${keyFile}`);
  const names = filesOf(folder);
  const secret = names.find((name) => holdsPrivateKey(join(folder, name)));
  if (secret !== undefined)
    throw new Refused(`${join(folder, secret)} is a private key: it would be published with the release`);
  if (names.length === 0) throw new Refused(`${folder} has no files to sign`);
  const text = Buffer.from(names.map((name) => `${sha256(join(folder, name))}  ${name}\n`).join(''));
  const sums = join(folder, SUMS);
  const signature = join(folder, SIGNATURE);
  replace(sums, text);
  replace(signature, signs(null, text, key));
  return { files: names.length, sums, signature };
}

/** Throws where the signature is not of this key, or a file is missing, changed or not named. */
export function verify(folder, keyFile) {
  const key = keyOf(keyFile, createPublicKey, 'a public');
  const [text, signature] = [SUMS, SIGNATURE].map((name) => readOr(join(folder, name)));
  if (!verifies(null, text, key, signature))
    throw new Refused(
      `${join(folder, SIGNATURE)} is not a signature of ${SUMS} by ${keyFile}: do not use these files`,
    );
  const lines = text.toString().split('\n').filter(Boolean);
  const named = new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
  const there = new Set(filesOf(folder));
  const faults = [
    ...[...named].flatMap(([name, hash]) =>
      !there.has(name)
        ? [`${name} is missing`]
        : sha256(join(folder, name)) === hash
          ? []
          : [`${name} was changed`],
    ),
    ...[...there].filter((name) => !named.has(name)).map((name) => `${name} was not signed`),
  ];
  if (faults.length > 0) throw new Refused(`${folder}: ${faults.join('; ')}: do not use these files`);
  return { files: named.size };
}

function filesOf(folder) {
  if (!existsSync(folder)) throw new Refused(`${folder} does not exist`);
  const entries = readdirSync(folder, { withFileTypes: true }).filter(
    ({ name }) => name !== SUMS && name !== SIGNATURE,
  );
  for (const entry of entries) {
    if (!entry.isFile())
      throw new Refused(
        `${join(folder, entry.name)} is no file: pack it first (tar --create --zstd --file …)`,
      );
    if (/[\n\r\\]/.test(entry.name))
      throw new Refused(`${JSON.stringify(entry.name)} is no name for a file of a release`);
  }
  return entries.map(({ name }) => name).sort();
}

function keyOf(file, make, kind) {
  if (!existsSync(file)) throw new Refused(`${file} does not exist`);
  try {
    const key = make(readFileSync(file));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Below.
  }
  throw new Refused(`${file} is not ${kind} Ed25519 key in PEM`);
}

/** A key in PEM has this line; a file of a release is larger, or has another. */
function holdsPrivateKey(file) {
  return (
    statSync(file).size < 65_536 && /^-----BEGIN [A-Z ]*PRIVATE KEY-----/m.test(readFileSync(file, 'latin1'))
  );
}

function readOr(file) {
  if (!existsSync(file)) throw new Refused(`${file} does not exist: these files were not signed`);
  return readFileSync(file);
}

function replace(file, bytes) {
  writeFileSync(`${file}.new`, bytes);
  renameSync(`${file}.new`, file);
}

function sha256(file) {
  const hash = createHash('sha256');
  const block = Buffer.allocUnsafe(BLOCK);
  const fd = openSync(file, 'r');
  try {
    for (let read = readSync(fd, block); read > 0; read = readSync(fd, block))
      hash.update(block.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}
