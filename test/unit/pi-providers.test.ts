import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { CredentialFile } from '../../adapters/pi/credential-file.ts';
import { PiProviderModel } from '../../adapters/pi/index.ts';
import { catalogue } from '../../adapters/pi/providers.ts';
import { request } from '../conformance/language-model.ts';
import { freshDir } from '../support/daemon.ts';

const clock = new SystemClock();
type Asked = { readonly url: string; readonly headers: Readonly<Record<string, unknown>> };

const OPENAI = [
  { id: 'x', choices: [{ index: 0, delta: { role: 'assistant', content: 'here' } }] },
  {
    id: 'x',
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
  },
];
const ANTHROPIC = [
  {
    type: 'message_start',
    message: {
      ...{ id: 'm', type: 'message', role: 'assistant', model: 'c', content: [], stop_reason: null },
      usage: { input_tokens: 3, output_tokens: 0 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'here' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } },
  { type: 'message_stop' },
];

let stop = async () => {};
afterEach(() => stop());

/** A server that answers in the words of one API, and remembers how it was asked. */
async function serverOf(events: readonly object[]) {
  const asked: Asked[] = [];
  const server = createServer((incoming, answer) => {
    asked.push({ url: incoming.url ?? '', headers: incoming.headers });
    incoming.resume();
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) {
      const name = 'type' in event ? `event: ${event.type}\n` : '';
      answer.write(`${name}data: ${JSON.stringify(event)}\n\n`);
    }
    answer.end(events === OPENAI ? 'data: [DONE]\n\n' : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => new Promise((resolve) => server.close(() => resolve()));
  const address = server.address();
  return { asked, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}` };
}

function modelOf(more: {
  provider: string;
  modelId: string;
  url: string;
  apiKey?: string;
  env?: Record<string, string>;
  credentials?: string;
}) {
  const { modelId, apiKey, ...options } = more;
  return new PiProviderModel({
    info: {
      ...{ name: 'cloud', modelId, vision: false, tools: true, context: 8_192, latency: 'any' },
      ...{ costIn: 0, costOut: 0 },
    },
    ...{ apiKey, clock, firstTokenMs: 60_000, stallMs: 60_000 },
    ...options,
  });
}

const GATEWAY = {
  provider: 'cloudflare-ai-gateway',
  apiKey: 'cf-token',
  env: { CLOUDFLARE_ACCOUNT_ID: 'acc-1', CLOUDFLARE_GATEWAY_ID: 'robots' },
};

describe('the gateway of Cloudflare', () => {
  it('is asked at the address of account and gateway, with its own header and no other key', async () => {
    const { asked, url } = await serverOf(ANTHROPIC);
    const model = modelOf({
      ...GATEWAY,
      modelId: 'claude-haiku-4.5',
      url: `${url}/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/anthropic`,
    });
    expect((await model.complete(request({ deadlineMs: 60_000 }))).text).toBe('here');
    expect(asked[0]!.url).toMatch(/^\/v1\/acc-1\/robots\/anthropic\/v1\/messages/);
    expect(asked[0]!.headers).toMatchObject({ 'cf-aig-authorization': 'Bearer cf-token' });
    expect(asked[0]!.headers).not.toHaveProperty('authorization');
    expect(asked[0]!.headers).not.toHaveProperty('x-api-key');
  });

  it('the same for models that speak the API of OpenAI', async () => {
    const { asked, url } = await serverOf(OPENAI);
    const model = modelOf({
      ...GATEWAY,
      modelId: 'workers-ai/@cf/openai/gpt-oss-20b',
      url: `${url}/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/compat`,
    });
    expect((await model.complete(request({ deadlineMs: 60_000 }))).text).toBe('here');
    expect(asked[0]!.url).toBe('/v1/acc-1/robots/compat/chat/completions');
    expect(asked[0]!.headers).toMatchObject({ 'cf-aig-authorization': 'Bearer cf-token' });
    expect(asked[0]!.headers).not.toHaveProperty('authorization');
  });

  it('without account and gateway is not asked, and the fault says that it is not configured', async () => {
    const { asked, url } = await serverOf(OPENAI);
    const model = modelOf({ ...GATEWAY, env: {}, modelId: 'gpt-4.1', url });
    await expect(model.complete(request({ deadlineMs: 60_000 }))).rejects.toMatchObject({
      message: expect.stringMatching(/not configured/i),
    });
    expect(asked).toEqual([]);
  });
});

describe('logins at providers', () => {
  const folder = freshDir('pi-logins');
  afterAll(() => folder.remove());

  it('are used where no key is given, and the key of a login goes in the header of its provider', async () => {
    const file = join(folder.path, 'logins.json');
    const store = new CredentialFile(file, clock);
    await store.modify('groq', async () => ({ type: 'api_key', key: 'kept' }));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { asked, url } = await serverOf(OPENAI);
    const model = modelOf({ provider: 'groq', modelId: 'any', url, credentials: file });
    await model.complete(request({ deadlineMs: 60_000 }));
    expect(asked[0]!.headers).toMatchObject({ authorization: 'Bearer kept' });
  });

  it('take one change at a time, also from two stores, and a broken or readable file is refused', async () => {
    const file = join(folder.path, 'shared.json');
    const [a, b] = [new CredentialFile(file, clock), new CredentialFile(file, clock)];
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? a : b).modify('groq', async (now) => ({
          type: 'api_key',
          key: `${Number(now?.type === 'api_key' ? now.key : 0) + 1}`,
        })),
      ),
    );
    expect(await a.read('groq')).toMatchObject({ key: '20' });
    await a.delete('groq');
    expect(await b.list()).toEqual([]);
    writeFileSync(file, 'x');
    await expect(a.read('groq')).rejects.toMatchObject({ code: 'config.invalid' });
    writeFileSync(join(folder.path, 'open.json'), '{}', { mode: 0o644 });
    await expect(new CredentialFile(join(folder.path, 'open.json'), clock).list()).rejects.toThrow(/644/);
    expect(readFileSync(file, 'utf8')).toBe('x');
  });
});

it('the catalogue has the usual providers, with what their models can do and cost', async () => {
  const all = await catalogue();
  const anthropic = all.find(({ id }) => id === 'anthropic')!;
  expect(anthropic.login).toBe(true);
  expect(anthropic.models.find(({ vision, costOut }) => vision && costOut > 0)).toBeDefined();
  expect(all.map(({ id }) => id)).toEqual(
    expect.arrayContaining(['openai', 'google', 'openrouter', 'cloudflare-ai-gateway']),
  );
});
