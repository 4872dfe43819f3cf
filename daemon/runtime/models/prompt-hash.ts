import { createHash } from 'node:crypto';
import { canonicalJson, type ModelRequest } from '../../../contract/core.ts';

/** SHA-256 of what a model is asked: messages with their images, tools, schema. Parameters are logged beside it. */
export function promptHash(request: ModelRequest): string {
  return sha256(canonicalJson(prompt(request)));
}

/** SHA-256 of all that an answer depends on; undefined where the answer is left to chance. */
export function answerKey(request: ModelRequest, model: string, modelId: string): string | undefined {
  const { temperature, seed, maxTokens, thinking } = request;
  if (temperature !== 0 || seed === undefined) return undefined;
  return sha256(
    canonicalJson({ ...prompt(request), model, modelId, seed, maxTokens, ...(thinking ? { thinking } : {}) }),
  );
}

function prompt({
  messages,
  tools,
  choices,
  toolChoice,
  answerSchema,
}: ModelRequest): Record<string, unknown> {
  return {
    messages: messages.map(({ images, ...rest }) => ({
      ...rest,
      images: images?.map(({ mime, data }) => ({ mime, sha256: sha256(data) })),
    })),
    // Schemas may carry what is no JSON, such as marks of their library.
    tools: tools === undefined ? undefined : plain(tools),
    choices: choices === undefined ? undefined : plain(choices),
    toolChoice,
    answerSchema: answerSchema === undefined ? undefined : plain(answerSchema),
  };
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
