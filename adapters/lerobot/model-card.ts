import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EdgeError, type PolicyDescription } from '../../contract/core.ts';

/** The file beside a network that says what it takes and gives. */
export type ModelCard = {
  readonly name: string;
  readonly sha256: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly output: { readonly name: string; readonly shape: readonly [number, number] };
  readonly step_ms: number;
};

export type Model = {
  readonly bytes: Uint8Array;
  readonly card: ModelCard;
  readonly description: PolicyDescription;
};

/** Reads network and card. Throws `model.unavailable` naming the file when one is missing, wrong or changed. */
export async function readModel(path: string): Promise<Model> {
  const bytes = await read(path);
  const card = checkCard(
    JSON.parse(new TextDecoder().decode(await read(`${path}.json`))) as unknown,
    `${path}.json`,
  );
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (hash !== card.sha256) {
    throw unavailable(
      path,
      `its SHA-256 is ${hash}, its card pins ${card.sha256}`,
      'make the network and its card again, together',
    );
  }
  const description = {
    name: card.name,
    hash,
    inputs: card.inputs,
    output: card.output.shape,
    stepMs: card.step_ms,
  };
  return { bytes, card, description };
}

function checkCard(value: unknown, path: string): ModelCard {
  const card = value as Partial<ModelCard> | null;
  const isShape = (shape: unknown) =>
    Array.isArray(shape) && shape.length > 0 && shape.every((n) => Number.isSafeInteger(n) && n > 0);
  const good =
    card !== null &&
    typeof card === 'object' &&
    typeof card.name === 'string' &&
    typeof card.sha256 === 'string' &&
    typeof card.inputs === 'object' &&
    Object.values(card.inputs ?? {}).every(isShape) &&
    typeof card.output?.name === 'string' &&
    isShape(card.output.shape) &&
    card.output.shape.length === 2 &&
    Number.isFinite(card.step_ms) &&
    card.step_ms! > 0;
  if (good) return card as ModelCard;
  throw unavailable(
    path,
    'the card does not name name, sha256, inputs, output {name, shape [horizon, dimension]} and step_ms',
  );
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unavailable(
      path,
      (cause as Error).message,
      'set control.model, or control.policy = "pursuit"',
      cause,
    );
  }
}

function unavailable(path: string, message: string, hint = '', cause?: unknown): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'load policy',
    subject: path,
    message: `${path}: ${message}`,
    hint,
    cause,
  });
}
