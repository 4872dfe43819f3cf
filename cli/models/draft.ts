import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EdgeError } from '../../contract/core.ts';
import type { TomlKeys } from '../../daemon/config/toml-edit.ts';
import { loginsFile } from '../../daemon/paths.ts';
import { readSecret } from '../../daemon/secrets.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Output } from '../output.ts';
import type { AddOptions } from './add-options.ts';
import { discover, type FoundModel } from './discover.ts';
import { type Key, keyOf } from './keys.ts';
import { factsOf, providerId, SERVER_KINDS, type ServerKind, serverKind } from './kinds.ts';
import { login } from './login.ts';
import type { Ask } from './terminal.ts';

/** What is known of a model before it is tried: its keys of `[[models]]` without its name and its key. */
export type Draft = { readonly name: string; readonly keys: TomlKeys; readonly key: Key | undefined };

type With = { readonly settings: Settings; readonly out: Output; readonly ask: Ask | undefined };

const FIND_MS = 10_000;
const LISTED_MAX = 30;

export async function draftOf(kind: string, options: AddOptions, parts: With): Promise<Draft> {
  const server = serverKind(kind);
  return server ? await ofServer(server, options, parts) : await ofProvider(providerId(kind), options, parts);
}

async function ofServer(server: ServerKind, options: AddOptions, { ask }: With): Promise<Draft> {
  const url =
    options.url ?? (await said(ask, server.title, 'url', 'address of its API', server.url || undefined));
  const key = await keyOf(options, { ask, required: false, title: server.title });
  const secret = key && ('fresh' in key ? key.fresh : readSecret(key.reference, 'key', process.env));
  const found = await discover(url, secret, FIND_MS).catch((thrown: unknown) => {
    const error = EdgeError.from(thrown, 'model.unavailable', 'find models', url);
    // One whose name is known may be written before its server runs.
    if (options.model !== undefined && !options.test) return [];
    throw new EdgeError(error.code, {
      operation: 'models add',
      subject: url,
      message: error.message,
      hint: `${error.hint} (${server.title}: ${server.start})`,
      cause: error,
    });
  });
  const model = await chosen(found, options.model, server.title, ask);
  const { context, vision, tools } = found.find(({ id }) => id === model) ?? {};
  const size = options.context ?? context;
  return {
    name: server.name.replace(/[^a-z0-9]/g, '-'),
    key,
    keys: {
      ...{ url, model },
      ...(size === undefined ? {} : { context: size }),
      ...(vision ? { vision } : {}),
      ...(tools === false ? { tools } : {}),
    },
  };
}

async function ofProvider(id: string, options: AddOptions, parts: With): Promise<Draft> {
  const { ask, settings, out } = parts;
  // Half a second, only where a provider is added.
  const { catalogue } = await import('../../adapters/pi/providers.ts');
  const all = await catalogue();
  const provider = all.find((one) => one.id === id);
  if (!provider) {
    const known = [...SERVER_KINDS.map(({ name }) => name), 'local', ...all.map((one) => one.id)];
    throw wrong(id, `there is no provider ${id}`, `one of ${known.join(', ')}`);
  }
  if (options.login && !provider.login)
    throw wrong(id, `${provider.name} has no login`, 'give a key: --key-stdin, --key-env or --key-file');
  const facts: string[] = [];
  for (const { option, variable, question } of factsOf(id)) {
    const value =
      options[option as 'account' | 'gateway'] ??
      (await said(ask, provider.name, option, question, undefined));
    facts.push(`${variable}=${value}`);
  }
  const logged = await loggedIn(id, settings);
  const wanted = !options.login && !logged;
  const key = await keyOf(options, { ask, required: wanted, title: provider.name });
  if (options.login) await login(id, loginsFile(settings.dataDir), { ask, out });
  const offers: FoundModel[] = provider.models.map((one) => ({ ...one, tools: undefined }));
  const model = await chosen(offers, options.model, provider.name, ask, true);
  const known = provider.models.find((one) => one.id === model);
  if (!known)
    out.note(`${model} is not in the catalogue of ${provider.name}: context and cost are not known`);
  const context = options.context ?? known?.context;
  return {
    name: id,
    key,
    keys: {
      ...{ kind: 'pi', provider: id, model },
      ...(options.url === undefined ? {} : { url: options.url }),
      ...(facts.length === 0 ? {} : { provider_env: facts }),
      ...(known?.vision ? { vision: true } : {}),
      ...(context === undefined || context === 0 ? {} : { context }),
      ...(known ? { cost_in: known.costIn, cost_out: known.costOut } : {}),
    },
  };
}

async function loggedIn(id: string, { dataDir }: Settings): Promise<boolean> {
  const { CredentialFile } = await import('../../adapters/pi/credential-file.ts');
  return (await new CredentialFile(loginsFile(dataDir), new SystemClock()).read(id)) !== undefined;
}

/** The model that is meant: the named one, the only one, or the one that a person picks. */
async function chosen(
  found: readonly FoundModel[],
  named: string | undefined,
  title: string,
  ask: Ask | undefined,
  open = false,
): Promise<string> {
  const ids = found.map(({ id }) => id);
  const listed = `${ids.slice(0, LISTED_MAX).join(', ')}${ids.length > LISTED_MAX ? ` and ${ids.length - LISTED_MAX} more` : ''}`;
  if (named !== undefined) {
    // A catalogue may be older than the model.
    if (open || ids.length === 0 || ids.includes(named)) return named;
    throw wrong(title, `${title} has no model ${named}`, `it has ${listed}`);
  }
  if (ids.length === 1) return ids[0]!;
  if (ids.length === 0)
    throw wrong(title, `${title} has no models`, 'load one there first, or name it with --model');
  if (ask === undefined)
    throw wrong(title, `which model of ${title}? name it with --model`, `it has ${listed}`);
  const choices = found.map(({ id, context }) => ({ id, label: context ? `${context} tokens` : '' }));
  return await ask({ question: `model of ${title} (name or number)`, choices, closed: !open });
}

async function said(
  ask: Ask | undefined,
  title: string,
  option: string,
  question: string,
  fallback: string | undefined,
): Promise<string> {
  if (ask)
    return await ask({ question: `${question} (${title})`, ...(fallback === undefined ? {} : { fallback }) });
  if (fallback !== undefined) return fallback;
  throw wrong(title, `${title} needs --${option}`, `--${option}: ${question}`);
}

function wrong(subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'models add', subject, message, hint });
}
