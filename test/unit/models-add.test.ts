import { chmodSync, chownSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { CommandContext } from '../../cli/context.ts';
import { addModel } from '../../cli/models/add-model.ts';
import type { AddOptions } from '../../cli/models/add-options.ts';
import { configFile, save } from '../../cli/models/config-file.ts';
import { discover } from '../../cli/models/discover.ts';
import { removeModel, setDefault, showModel } from '../../cli/models/shelf.ts';
import { apiClient } from '../../daemon/client/api-client.ts';
import { loadSettings } from '../../daemon/settings.ts';
import { freshDir } from '../support/daemon.ts';

const folder = freshDir('models-add');
afterAll(() => folder.remove());
let stop: (() => Promise<void>) | undefined;
afterEach(async () => {
  await stop?.();
  stop = undefined;
});

type Mood = {
  tools?: 'native' | 'schema' | 'none';
  key?: string;
  ollama?: boolean;
  models?: readonly string[];
};

/** A server with the API of OpenAI that calls tools as it is told to. */
async function serverOf({ tools = 'native', key, ollama = false, models = ['tiny'] }: Mood = {}) {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const json = (status: number, body: unknown) => response.writeHead(status).end(JSON.stringify(body));
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) return json(401, {});
    const path = request.url ?? '';
    if (ollama && path === '/api/tags') return json(200, { models: models.map((name) => ({ name })) });
    if (ollama && path === '/api/show')
      return json(200, {
        capabilities: ['completion', 'tools', 'vision'],
        model_info: { 'qwen.context_length': 40_960 },
      });
    if (path === '/v1/models') return json(200, { data: models.map((id) => ({ id, max_model_len: 4_096 })) });
    if (path === '/health') return json(200, {});
    if (path !== '/v1/chat/completions') return json(404, {});
    const body = JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
    const wanted = JSON.stringify(body).includes('Turn left');
    const call = { name: 'turn', arguments: '{"direction":"left"}' };
    const bySchema = 'response_format' in body;
    const text =
      !wanted || tools !== 'schema' || !bySchema
        ? 'hello'
        : `{"tool":"turn","arguments":{"direction":"left"}}`;
    const delta =
      wanted && tools === 'native' && !bySchema
        ? { tool_calls: [{ index: 0, id: 'c1', type: 'function', function: call }] }
        : {
            content:
              wanted && tools === 'native'
                ? JSON.stringify({ tool: 'turn', arguments: { direction: 'left' } })
                : text,
          };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const choice of [
      { index: 0, delta },
      { index: 0, delta: {}, finish_reason: 'stop' },
    ])
      response.write(`data: ${JSON.stringify({ id: 'x', choices: [choice] })}\n\n`);
    response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/v1`;
}

let number = 0;
function robot(source = '# my robot\n[daemon]\nname = "seven"\n') {
  const home = join(folder.path, String(++number));
  const file = `${home}.toml`;
  writeFileSync(file, source);
  const results: unknown[] = [];
  const context = (): CommandContext => {
    // No daemon listens at this port, whatever else runs on this host.
    const env = { AURAISON_DAEMON_DATA_DIR: join(home, 'data'), AURAISON_API_PORT: '1' };
    const settings = loadSettings(file, env);
    const out = {
      json: true,
      colour: false,
      result: (value: unknown) => results.push(value),
      note: () => {},
    };
    return { settings, out, api: apiClient(settings, {}) };
  };
  const add = (kind: string, options: Partial<AddOptions> = {}) =>
    addModel(context(), kind, { test: true, timeout: 30_000, ...options });
  return {
    ...{ file, home, results, context, add },
    text: () => readFileSync(file, 'utf8'),
    models: () => loadSettings(file, {}).config.models,
  };
}

describe('auraison models add', () => {
  it('finds the only model of a server, tries it, and writes it below what was there', async () => {
    const { add, text, models, results } = robot();
    expect(await add('vllm', { url: await serverOf() })).toBe(0);
    expect(text()).toMatch(/^# my robot\n\[daemon]\nname = "seven"\n\n\[\[models]]\nname = "vllm"\n/);
    expect(models()[0]).toMatchObject({ name: 'vllm', model: 'tiny', context: 4_096, tools: true });
    expect(results[0]).toMatchObject({
      added: 'vllm',
      test: { text: 'hello', tool_call: { ok: true, call: 'turn({"direction":"left"})' } },
      daemon: { state: 'none' },
    });
  });

  it('takes from Ollama what a model can do', async () => {
    const { add, models } = robot();
    await add('ollama', { url: await serverOf({ ollama: true }), name: 'eyes' });
    expect(models()[0]).toMatchObject({ name: 'eyes', vision: true, context: 40_960 });
  });

  it('of several models wants one named, and names them; nothing is written', async () => {
    const { add, text } = robot();
    const url = await serverOf({ models: ['a', 'b'] });
    await expect(add('vllm', { url })).rejects.toMatchObject({ hint: 'it has a, b' });
    await expect(add('vllm', { url, model: 'c' })).rejects.toMatchObject({ hint: 'it has a, b' });
    expect(text()).not.toContain('models');
    await add('vllm', { url, model: 'b' });
    expect(text()).toContain('model = "b"');
  });

  it('one that calls no tools is written as one without tools, and one without a server is not written', async () => {
    const { add, models, text, results } = robot();
    const url = await serverOf({ tools: 'none' });
    await add('server', { url, name: 'mute' });
    expect(models()[0]).toMatchObject({ name: 'mute', tools: false });
    expect(results[0]).toMatchObject({ limits: [expect.stringContaining('auraison chat is not offered')] });
    await stop?.();
    stop = undefined;
    const before = text();
    await expect(add('server', { url, name: 'x' })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/does not answer/),
    });
    expect(text()).toBe(before);
  });

  it('keeps a key out of the configuration: a file, or a variable, by its name', async () => {
    const url = await serverOf({ key: 'secret-1' });
    const { add, text, file, home, context } = robot();
    const keyFile = join(folder.path, 'key');
    writeFileSync(keyFile, 'secret-1\n', { mode: 0o600 });
    await expect(add('vllm', { url })).rejects.toMatchObject({ hint: expect.stringMatching(/--key-stdin/) });
    await add('vllm', { url, keyFile });
    expect(text()).toContain(`api_key_file = ${JSON.stringify(keyFile)}`);
    process.env['MODELS_ADD_KEY'] = 'secret-1';
    try {
      await add('vllm', { url, keyEnv: 'MODELS_ADD_KEY', name: 'other' });
    } finally {
      delete process.env['MODELS_ADD_KEY'];
    }
    expect(text()).toContain('api_key_file = "env:MODELS_ADD_KEY"');
    expect(readFileSync(file, 'utf8')).not.toContain('secret-1');
    // A key that is the user's own is left where it is.
    await removeModel(context(), 'vllm');
    expect(existsSync(keyFile)).toBe(true);
    expect(existsSync(join(home, 'data', 'credentials'))).toBe(false);
  });

  it('refuses a name twice, replaces it where that is asked for, and keeps its place', async () => {
    const url = await serverOf({ models: ['a', 'b'] });
    const { add, models } = robot();
    await add('vllm', { url, model: 'a' });
    await add('server', { url, model: 'a', name: 'last' });
    await expect(add('vllm', { url, model: 'b' })).rejects.toMatchObject({ code: 'config.invalid' });
    await add('vllm', { url, model: 'b', replace: true });
    expect(models().map(({ name, model }) => `${name} ${model}`)).toEqual(['vllm b', 'last a']);
  });

  it('a provider that nobody knows is refused with the names of all', async () => {
    await expect(robot().add('nonesuch')).rejects.toMatchObject({
      hint: expect.stringMatching(/ollama.*anthropic.*cloudflare-ai-gateway/),
    });
  });

  it('of the gateway of Cloudflare writes account and gateway, and what the catalogue says of the model', async () => {
    const { add, models } = robot();
    const keyFile = join(folder.path, 'cf');
    writeFileSync(keyFile, 'cf-token', { mode: 0o600 });
    await expect(add('cloudflare', { test: false, keyFile })).rejects.toMatchObject({
      message: expect.stringMatching(/--account/),
    });
    await add('cloudflare', {
      ...{ test: false, keyFile, account: 'acc', gateway: 'robots', model: 'claude-haiku-4.5' },
    });
    expect(models()[0]).toMatchObject({
      ...{ kind: 'pi', provider: 'cloudflare-ai-gateway', model: 'claude-haiku-4.5', vision: true },
      provider_env: ['CLOUDFLARE_ACCOUNT_ID=acc', 'CLOUDFLARE_GATEWAY_ID=robots'],
    });
    expect(models()[0]!.cost_out).toBeGreaterThan(0);
  });
});

describe('models of the configuration', () => {
  it('are shown, moved to the front and removed; every other line stays', async () => {
    const source =
      '# a\n[[models]]\nname = "a" # first\nurl = "http://a/v1"\nmodel = "x"\n\n[[models]]\nname = "b"\nurl = "http://b/v1"\nmodel = "y"\n';
    const { context, models, results, text } = robot(source);
    await showModel(context(), 'b');
    expect(results[0]).toMatchObject({ default: false, model: { name: 'b', model: 'y' } });
    await setDefault(context(), 'b');
    expect(models().map(({ name }) => name)).toEqual(['b', 'a']);
    await removeModel(context(), 'b');
    expect(text()).toBe('# a\n[[models]]\nname = "a" # first\nurl = "http://a/v1"\nmodel = "x"\n');
    await expect(removeModel(context(), 'b')).rejects.toMatchObject({ code: 'model.not_found' });
  });

  it('in one line are not edited by half: the command says what to do', async () => {
    const { add, text } = robot('models = [{ name = "a", url = "http://a/v1", model = "x" }]\n');
    const before = text();
    await expect(add('vllm', { url: await serverOf() })).rejects.toMatchObject({
      code: expect.stringMatching(/^config\./),
    });
    expect(text()).toBe(before);
    expect(statSync(folder.path).isDirectory()).toBe(true);
  });
});

it('an address that is no server of models is said to be none', async () => {
  const url = await serverOf();
  await expect(discover(url.replace('/v1', '/v2'), undefined, 5_000)).rejects.toMatchObject({
    message: expect.stringMatching(/HTTP 404/),
  });
});

it('keeps mode and owner of the configuration: a service goes on to read it by its group', () => {
  const path = join(folder.path, 'service.toml');
  writeFileSync(path, '');
  chmodSync(path, 0o660);
  // Only root may give a file away.
  if (process.getuid?.() === 0) chownSync(path, 0, 65_533);
  const before = statSync(path);
  const file = configFile(loadSettings(path, {}));
  save(file, { ...file, source: '# edited\n' });
  const { mode, uid, gid } = statSync(path);
  expect({ mode, uid, gid }).toEqual({ mode: before.mode, uid: before.uid, gid: before.gid });
  expect(readFileSync(path, 'utf8')).toBe('# edited\n');
});
