import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { ModelPatience, ModelRequest } from '../../contract/index.ts';
import { request } from '../conformance/language-model.ts';
import {
  beginStream,
  chunk,
  event,
  FakeOpenAi,
  json,
  type Script,
  say,
  silent,
  stall,
} from '../fakes/fake-openai.ts';
import { Authority } from '../support/certificates.ts';
import { type ModelOverrides, openAiModel } from '../support/openai-model.ts';

const servers: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function ask(script: Script, more: Partial<ModelRequest> = {}, overrides: ModelOverrides = {}) {
  const server = await FakeOpenAi.start(script);
  servers.push(server);
  return await openAiModel(server.url, overrides).complete(request(more));
}

/** A stream of these events by the book, then its end. */
function events(...values: unknown[]): Script {
  return (_asked, response) => {
    beginStream(response);
    for (const value of values) event(response, value);
    response.end();
  };
}

const TOOL = {
  name: 'drive',
  description: 'Drives.',
  parameters: {
    type: 'object',
    properties: { m: { type: 'integer' } },
    required: ['m'],
    additionalProperties: false,
  },
};
const part = (index: unknown, id: string | undefined, name: string | undefined, args: unknown) =>
  chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });

describe('a stream that goes wrong', () => {
  it.each<[string, Script, RegExp]>([
    ['ends in the middle', events(chunk({ content: 'half' })), /ends in the middle/],
    ['ends with DONE and no finish', events(chunk({ content: 'half' }), '[DONE]'), /ends in the middle/],
    ['is garbage', events('\u0000\u0001 not json {{{'), /no JSON/],
    [
      'holds NaN',
      events('{"id":"a","choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"v":NaN}}]}'),
      /no JSON/,
    ],
    ['holds null events', events('null'), /no object|model|null/i],
    ['holds choices that are no list', events({ id: 'a', choices: 'x' }), /no list|choices/],
    ['holds an error', events({ error: { message: 'engine died', code: 500 } }), /engine died/],
    [
      'changes its id',
      events(chunk({ content: 'a' }), chunk({ content: 'b' }, 'stop', 'chatcmpl-2')),
      /another answer/,
    ],
    ['is aborted by its server', events(chunk({ content: 'a' }, 'abort')), /ended by abort/],
    [
      'brings 33 calls',
      events(...Array.from({ length: 33 }, (_, i) => part(i, `id-${i}-0123456789`, 'drive', '{}'))),
      /32 calls/,
    ],
    [
      'brings two calls under one id',
      events(
        part(0, 'same-0123456789', 'drive', '{}'),
        part(1, 'same-0123456789', 'drive', '{}'),
        chunk({}, 'tool_calls'),
      ),
      /two calls/,
    ],
    ['brings a call under a mad index', events(part(-4, 'id-0123456789', 'drive', '{}')), /index/],
    [
      'brings a call without a name',
      events(part(0, 'id-0123456789', undefined, '{}'), chunk({}, 'tool_calls')),
      /without a name/,
    ],
  ])('%s: model.failed', async (_what, script, message) => {
    await expect(ask(script, { tools: [TOOL] })).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(message),
    });
  });

  it('breaks in mid-stream: model.unavailable', async () => {
    const script: Script = (_asked, response) => {
      beginStream(response);
      event(response, chunk({ content: 'half' }));
      setTimeout(() => response.socket?.resetAndDestroy(), 50);
    };
    await expect(ask(script)).rejects.toMatchObject({ code: 'model.unavailable' });
  });

  it('stalls half way: cut within the stall limit, and the connection is let go', async () => {
    const server = await FakeOpenAi.start(stall('half'));
    servers.push(server);
    const model = openAiModel(server.url, { times: { stallMs: 300 } });
    await expect(model.complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/stalled/),
    });
    await expect.poll(() => server.cut).toBe(1);
  });

  it('drips comments and empty pieces: no sign of life', async () => {
    const script: Script = (_asked, response) => {
      beginStream(response);
      const drip = setInterval(() => {
        response.write(': ping\n\n');
        event(response, chunk({ role: 'assistant', content: '' }));
      }, 20);
      response.on('close', () => clearInterval(drip));
    };
    await expect(ask(script, {}, { times: { firstTokenMs: 400 } })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/no first token/),
    });
  });

  it('is 100 MB of text, plain or compressed: cut while it comes', async () => {
    const piece = 'x'.repeat(64 * 1024);
    let sent = 0;
    const plain: Script = (_asked, response) => {
      beginStream(response);
      const pour = () => {
        while (sent < 100e6 && !response.destroyed) {
          sent += piece.length;
          if (!response.write(`data: ${JSON.stringify(chunk({ content: piece }))}\n\n`)) return;
        }
        response.end();
      };
      response.on('drain', pour);
      pour();
    };
    // What cuts is the size, also where a busy host takes its time.
    const patient = { times: { firstTokenMs: 60_000, stallMs: 60_000 } };
    await expect(ask(plain, { deadlineMs: 60_000 }, patient)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/more than/),
    });
    expect(sent).toBeLessThan(50e6);
    const bomb = gzipSync(Buffer.alloc(100e6, ' '));
    const packed: Script = (_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }).end(bomb);
    };
    await expect(ask(packed, { deadlineMs: 60_000 }, patient)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/larger than/),
    });
  });
});

describe('a server that answers something else', () => {
  it.each<[string, Script]>([
    [
      'HTML',
      (_a, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>login</h1>'),
    ],
    ['no content type', (_a, response) => void response.writeHead(200).end('data: {}\n\n')],
    ['a whole answer where a stream was asked', (_a, response) => json(response, 200, { choices: [] })],
    ['a redirect', (_a, response) => void response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end()],
  ])('%s: model.failed, not worth repeating', async (_what, script) => {
    await expect(ask(script)).rejects.toMatchObject({ code: 'model.failed', retryable: false });
  });

  it.each([
    [429, 'model.unavailable', true],
    [503, 'model.unavailable', true],
    [500, 'model.unavailable', true],
    [401, 'model.unavailable', false],
    [404, 'model.unavailable', false],
    [400, 'model.failed', false],
    [413, 'model.failed', false],
  ])('HTTP %i: %s', async (status, code, retryable) => {
    const script: Script = (_a, response) => json(response, status, { error: { message: 'no' } });
    await expect(ask(script)).rejects.toMatchObject({ code, retryable });
  });

  it('tells when to come again, as far as it is sane', async () => {
    const patience = async (value: string) => {
      const script: Script = (_a, response) => json(response, 503, { error: {} }, { 'retry-after': value });
      const error = await ask(script).catch((thrown: Error) => thrown);
      return ((error as Error).cause as ModelPatience | undefined)?.retryAfterMs;
    };
    expect(await patience('7')).toBe(7_000);
    expect(await patience('99999999')).toBe(3_600_000);
    expect(await patience('-5')).toBeUndefined();
    expect(await patience('soon')).toBeUndefined();
  });

  it('never puts the key into an error, though the server repeats it', async () => {
    const script: Script = ({ headers }, response) =>
      json(response, 400, { error: { message: `bad header ${headers.authorization}` } });
    const error = await ask(script, {}, { apiKey: 'sk-very-secret' }).catch((thrown: Error) => thrown);
    expect(String((error as Error).message)).toContain('bad header');
    expect(JSON.stringify(error) + String((error as Error).message)).not.toContain('very-secret');
  });

  it('has a certificate that nobody vouches for: model.unavailable, with what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'auraison-tls-'));
    servers.push({ stop: async () => rmSync(folder, { recursive: true }) });
    const { certificate, key } = new Authority(folder, 'nobody').issue('server');
    const files = { cert: readFileSync(certificate), key: readFileSync(key) };
    const server = createTlsServer(files, (_request, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push({ stop: () => new Promise((resolve) => server.close(() => resolve())) });
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    await expect(openAiModel(url).complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
      hint: expect.stringMatching(/NODE_EXTRA_CA_CERTS/),
    });
  });

  it('is not there: model.unavailable', async () => {
    const server = await FakeOpenAi.start(silent);
    const { url } = server;
    await server.stop();
    await expect(openAiModel(url).complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
  });

  it('answers with the answer of another request, once it is known to name answers after requests', async () => {
    const server = await FakeOpenAi.start(
      say({ text: 'mine' }),
      say({ text: 'not mine', id: 'chatcmpl-of-somebody' }),
    );
    servers.push(server);
    const model = openAiModel(server.url);
    expect((await model.complete(request())).text).toBe('mine');
    await expect(model.complete(request())).rejects.toMatchObject({
      message: expect.stringMatching(/another answer/),
    });
  });
});

describe('a server that is silent', () => {
  const quick = { silenceMs: 100, probeMs: 400 };

  it.each<[string, Partial<Record<'sleeping' | 'health', unknown>>, RegExp]>([
    ['its engine sleeps', { sleeping: true }, /sleeps/],
    ['its health says nothing either', { health: undefined }, /no answer within/],
    ['its health says 503', { health: 503 }, /HTTP 503/],
  ])('%s: noticed by its health, long before any first token is overdue', async (_what, state, message) => {
    const server = await FakeOpenAi.start(silent);
    servers.push(server);
    Object.assign(server, state);
    await expect(openAiModel(server.url, { times: quick }).complete(request())).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(message),
    });
  });

  it('is left to work when its health is good: a long prompt takes its time', async () => {
    const slow: Script = async (asked, response, fake) => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      await say({ text: 'at last' })(asked, response, fake);
    };
    expect((await ask(slow, {}, { times: quick })).text).toBe('at last');
  });

  it('wakes when it is asked to', async () => {
    const server = await FakeOpenAi.start(say({ text: 'up' }));
    servers.push(server);
    server.sleeping = true;
    const model = openAiModel(server.url);
    expect(await model.health()).toMatchObject({ ok: false, sleeping: true });
    await model.wake();
    expect(await model.health()).toMatchObject({ ok: true });
  });
});

describe('an answer that cannot be looked at', () => {
  it('nested a hundred thousand deep, or half a character: contained', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    await expect(ask(say({ text: deep }), { answerSchema: { type: 'object' } })).rejects.toMatchObject({
      code: 'model.failed',
    });
    const half = events(chunk({ content: 'a\ud800b' }, 'stop'));
    expect((await ask(half)).text).toBe('a\ufffdb');
  });
});

describe('calls of tools that go wrong', () => {
  const forcedCall = (args: unknown): Script => say({ calls: [{ name: 'drive', args }] });

  it.each<[string, unknown]>([
    ['the arguments "true", as vLLM has answered a forced call', 'true'],
    ['broken JSON', '{"m": 1'],
    ['text where a number belongs', { m: '15' }],
    ['an unknown field', { m: 1, now: true }],
    ['null', 'null'],
    ['a list', '[1]'],
  ])('a forced call with %s is no answer', async (_what, args) => {
    for (const toolChoice of ['required', { name: 'drive' }] as const) {
      await expect(ask(forcedCall(args), { tools: [TOOL], toolChoice })).rejects.toMatchObject({
        code: 'model.failed',
      });
    }
  });

  it('a forced call that is missing, or of another tool, is no answer', async () => {
    await expect(
      ask(say({ text: 'I would rather not' }), { tools: [TOOL], toolChoice: 'required' }),
    ).rejects.toMatchObject({
      code: 'model.failed',
    });
    const other: Script = say({ calls: [{ name: 'stop', args: {} }] });
    await expect(
      ask(other, { tools: [TOOL, { ...TOOL, name: 'stop' }], toolChoice: { name: 'drive' } }),
    ).rejects.toMatchObject({ code: 'model.failed' });
  });

  it('a free call keeps its arguments as they came: the tool box judges them', async () => {
    const answer = await ask(forcedCall('{"m": "15", broken'), { tools: [TOOL] });
    expect(answer.toolCalls[0]?.argumentsText).toBe('{"m": "15", broken');
  });

  it('calls that share an index are told apart by their ids', async () => {
    const script = events(
      part(0, 'first-0123456789', 'drive', '{"m":'),
      part(0, undefined, undefined, '1}'),
      part(0, 'second-0123456789', 'drive', '{"m":2}'),
      chunk({}, 'tool_calls'),
    );
    const { toolCalls } = await ask(script, { tools: [TOOL] });
    expect(toolCalls.map(({ argumentsText }) => argumentsText)).toEqual(['{"m":1}', '{"m":2}']);
  });

  it('calls under a counter instead of an id get ids that do not come again', async () => {
    const script = say({ calls: [{ id: 'call_0', name: 'drive', args: { m: 1 } }] });
    const server = await FakeOpenAi.start(script);
    servers.push(server);
    const model = openAiModel(server.url);
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      for (const { id } of (await model.complete(request({ tools: [TOOL] }))).toolCalls) ids.add(id);
    }
    expect(ids.size).toBe(3);
  });

  it('JSON within prose, and names that nobody offered, are text', async () => {
    const quoted = 'The sign says {"tool": "drive", "arguments": {"m": 2}} and I stop.';
    expect(await ask(say({ text: quoted }), { tools: [TOOL] })).toMatchObject({
      toolCalls: [],
      text: quoted,
    });
    const foreign = '{"tool": "delete_all", "arguments": {}}';
    expect(await ask(say({ text: foreign }), { tools: [TOOL] })).toMatchObject({
      toolCalls: [],
      text: foreign,
    });
    const none = '{"tool": "drive", "arguments": {"m": 2}}';
    expect(await ask(say({ text: none }), { tools: [TOOL], toolChoice: 'none' })).toMatchObject({
      toolCalls: [],
    });
  });

  it.each([
    ['<tool_call>{"name": "drive", "arguments": {"m": 2}}</tool_call>'],
    ['```json\n{"function": {"name": "drive", "arguments": "{\\"m\\": 2}"}}\n```'],
    ['[{"name": "drive", "parameters": {"m": 2}}]'],
    ['{"tool": "drive", "arguments": {"m": 2}}'],
  ])('a call said as text is found: %s', async (text) => {
    const { toolCalls, stopReason } = await ask(say({ text }), { tools: [TOOL] });
    expect(toolCalls.map(({ name, argumentsText }) => [name, JSON.parse(argumentsText)])).toEqual([
      ['drive', { m: 2 }],
    ]);
    expect(stopReason).toBe('tool_calls');
  });
});
