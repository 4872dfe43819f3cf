import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { webhookKey } from '../../daemon/runtime/webhook/webhook-signature.ts';
import { signedHeaders } from '../support/signed-webhook.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/write-an-app.md'), 'utf8');

it.each(['what both know', 'whsec_c2lnbmVkIGJ5IGJ5dGVzAP8='])(
  'docs/write-an-app.md signs a webhook as the daemon checks it (%s)',
  (secret) => {
    const [, block = ''] = /```bash\n([\s\S]*?)```/.exec(page) ?? [];
    const [before = ''] = block.split(/^curl /m);
    // Instead of sending it, the shell says what it would send.
    const script = `${before}printf '%s\\n' "$ID" "$NOW" "$SIGNATURE" "$BODY"`;
    const env = { PATH: process.env['PATH'], SECRET: secret };
    const said = execFileSync('bash', ['-euc', script], { encoding: 'utf8', env });
    const [id = '', now = '', signature = '', body = ''] = said.split('\n');
    const headers = signedHeaders(body, id, Number(now), webhookKey(secret));
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
    expect(block).toContain(
      'curl -H "webhook-id: $ID" -H "webhook-timestamp: $NOW" -H "webhook-signature: v1,$SIGNATURE"',
    );
  },
);
