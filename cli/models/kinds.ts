/** A server of models on this host or another one that `auraison models add` knows by name. */
export type ServerKind = {
  readonly name: string;
  readonly title: string;
  /** Of the API; empty: it has to be said. */
  readonly url: string;
  readonly start: string;
};

export const SERVER_KINDS: readonly ServerKind[] = [
  { name: 'ollama', title: 'Ollama', url: 'http://127.0.0.1:11434/v1', start: 'ollama serve' },
  { name: 'vllm', title: 'vLLM', url: 'http://127.0.0.1:8000/v1', start: 'vllm serve MODEL' },
  {
    name: 'llama.cpp',
    title: 'llama.cpp',
    url: 'http://127.0.0.1:8080/v1',
    start: 'llama-server -m FILE.gguf --jinja',
  },
  { name: 'lmstudio', title: 'LM Studio', url: 'http://127.0.0.1:1234/v1', start: 'lms server start' },
  { name: 'server', title: 'any server with the OpenAI API', url: '', start: 'start it' },
];

/** Shorter names of Pi's providers. */
const ALIASES: Readonly<Record<string, string>> = {
  cloudflare: 'cloudflare-ai-gateway',
  'workers-ai': 'cloudflare-workers-ai',
  gemini: 'google',
  azure: 'azure-openai-responses',
  bedrock: 'amazon-bedrock',
  vertex: 'google-vertex',
};

export function serverKind(name: string): ServerKind | undefined {
  return (
    SERVER_KINDS.find((kind) => kind.name === name) ?? (name === 'llama-cpp' ? SERVER_KINDS[2] : undefined)
  );
}

/** The name of a provider as Pi knows it. */
export function providerId(name: string): string {
  return ALIASES[name] ?? name;
}

/** What a provider has to know beside its key: option, variable, and what is asked. */
export type ProviderFact = { readonly option: string; readonly variable: string; readonly question: string };

export function factsOf(provider: string): readonly ProviderFact[] {
  const account = {
    option: 'account',
    variable: 'CLOUDFLARE_ACCOUNT_ID',
    question: 'account ID of Cloudflare',
  };
  const gateway = {
    option: 'gateway',
    variable: 'CLOUDFLARE_GATEWAY_ID',
    question: 'ID of the AI gateway',
  };
  if (provider === 'cloudflare-ai-gateway') return [account, gateway];
  return provider === 'cloudflare-workers-ai' ? [account] : [];
}
