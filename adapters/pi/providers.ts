import type { AuthInteraction, MutableModels } from '@earendil-works/pi-ai';
import type { Clock } from '../../contract/core.ts';
import { CredentialFile } from './credential-file.ts';

export type ProviderAccess = {
  /** Undefined: as the provider is logged in, else the variables that it knows. */
  readonly apiKey: string | undefined;
  /** What the provider has to know beside the key: accounts, gateways, regions. */
  readonly env: Readonly<Record<string, string>>;
  /** File of logins; undefined: no logins. */
  readonly credentials: string | undefined;
  readonly clock: Clock;
};

/** The providers of Pi with this access. A key that is given here is used alone: nothing of the environment is. */
export async function providersWith(
  provider: string,
  { apiKey, env, credentials, clock }: ProviderAccess,
): Promise<MutableModels> {
  const { builtinModels } = await import('@earendil-works/pi-ai/providers/all');
  const { InMemoryCredentialStore, defaultProviderAuthContext } = await import('@earendil-works/pi-ai');
  if (apiKey === undefined && credentials !== undefined)
    return builtinModels({ credentials: new CredentialFile(credentials, clock) });
  if (apiKey === undefined) return builtinModels();
  // Pi makes the headers that the provider wants of it, which need not be those of a key.
  const store = new InMemoryCredentialStore();
  await store.modify(provider, async () => ({ type: 'api_key', key: apiKey, env: { ...env } }));
  const { fileExists } = defaultProviderAuthContext();
  return builtinModels({ credentials: store, authContext: { env: async () => undefined, fileExists } });
}

/** A model as Pi's catalogue has it. Costs in US dollars per million tokens, context in tokens. */
export type CatalogueModel = {
  readonly id: string;
  readonly name: string;
  readonly vision: boolean;
  readonly context: number;
  readonly costIn: number;
  readonly costOut: number;
};

export type CatalogueProvider = {
  readonly id: string;
  readonly name: string;
  /** It can be logged in to in a browser, without a key. */
  readonly login: boolean;
  readonly models: readonly CatalogueModel[];
};

/** Every provider that Pi knows, from its catalogue; nothing is asked over the network. */
export async function catalogue(): Promise<readonly CatalogueProvider[]> {
  const { builtinModels } = await import('@earendil-works/pi-ai/providers/all');
  const all = builtinModels();
  return all.getProviders().map(({ id, name, auth }) => ({
    ...{ id, name, login: auth.oauth !== undefined },
    models: all.getModels(id).map((model) => ({
      ...{ id: model.id, name: model.name, vision: model.input.includes('image') },
      ...{ context: model.contextWindow, costIn: model.cost.input, costOut: model.cost.output },
    })),
  }));
}

/** What a login asks and says. Rejections of `ask` cancel it. */
export type LoginTalk = {
  ask(
    question: string,
    about: {
      readonly secret: boolean;
      readonly choices: readonly { readonly id: string; readonly label: string }[];
    },
    signal?: AbortSignal,
  ): Promise<string>;
  say(text: string): void;
};

/** Logs in at a provider in its own way (browser, device code) and keeps what comes of it in the file. */
export async function loginAt(
  provider: string,
  file: string,
  talk: LoginTalk,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const models = await providersWith(provider, { apiKey: undefined, env: {}, credentials: file, clock });
  const interaction: AuthInteraction = {
    signal,
    prompt: (prompt) =>
      talk.ask(
        prompt.message,
        { secret: prompt.type === 'secret', choices: prompt.type === 'select' ? prompt.options : [] },
        prompt.signal,
      ),
    notify: (event) => {
      if (event.type === 'auth_url') talk.say(`open ${event.url}\n${event.instructions ?? ''}`.trim());
      else if (event.type === 'device_code')
        talk.say(`open ${event.verificationUri} and enter ${event.userCode}`);
      else talk.say(event.message);
    },
  };
  await models.login(provider, 'oauth', interaction);
}

export async function logoutAt(provider: string, file: string, clock: Clock): Promise<void> {
  await new CredentialFile(file, clock).delete(provider);
}
