// Which packages of others a bundle holds, and under which licence.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Lines `name version licence`, sorted, each package once. */
export function thirdParty(modules) {
  const lines = new Set();
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    if (entry.name !== 'package.json' || !/node_modules\/(?:@[^/]+\/)?[^/]+$/.test(entry.parentPath))
      continue;
    const { name, version, license, licenses } = JSON.parse(
      readFileSync(join(entry.parentPath, 'package.json'), 'utf8'),
    );
    if (name === undefined || version === undefined) continue;
    const text = license?.type ?? license ?? licenses?.map((one) => one.type ?? one).join(' OR ');
    const file = existsSync(entry.parentPath)
      ? readdirSync(entry.parentPath).find((f) => /^(?:licen[cs]e|copying)/i.test(f))
      : undefined;
    lines.add(`${name} ${version} ${text ?? (file ? `see ${file}` : 'no licence is named')}`);
  }
  return [...lines].sort();
}
