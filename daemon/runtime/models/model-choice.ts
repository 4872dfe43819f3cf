import { type ModelInfo, type ModelRequest, unmet } from '../../../contract/core.ts';

export type Choice = {
  /** Names in the order in which they are asked. */
  readonly order: readonly string[];
  /** Why others are not: `name: reason`. */
  readonly unfit: readonly string[];
};

/** Characters of one token, at most: an estimate that refuses only what cannot fit. */
const CHARS_PER_TOKEN_MAX = 6;

/**
 * Which models may answer a request, the best first: what is preferred, then quick ones where that is asked for, then
 * as configured. Vision, tools, context and cost are conditions, latency is a wish: a late answer is better than none.
 * Pure.
 */
export function chooseModels(models: readonly ModelInfo[], request: ModelRequest): Choice {
  const { prefer = [], latency = 'any' } = request.need ?? {};
  const unfit: string[] = [];
  const fit = models.filter((info) => {
    const why = unfitness(info, request);
    if (why !== undefined) unfit.push(`${info.name}: ${why}`);
    return why === undefined;
  });
  const rank = ({ name }: ModelInfo) => {
    const place = prefer.indexOf(name);
    return place < 0 ? prefer.length : place;
  };
  const slow = (info: ModelInfo) => (latency === 'low' && info.latency !== 'low' ? 1 : 0);
  // The sort is stable: equals stay as configured.
  const order = fit.sort((a, b) => rank(a) - rank(b) || slow(a) - slow(b)).map(({ name }) => name);
  return { order, unfit };
}

function unfitness(info: ModelInfo, request: ModelRequest): string | undefined {
  const { need = {}, messages, tools = [], toolChoice } = request;
  return unmet(info, {
    ...need,
    vision: need.vision ?? messages.some(({ images = [] }) => images.length > 0),
    tools: need.tools ?? (tools.length > 0 && toolChoice !== 'none'),
    context: Math.max(need.context ?? 0, leastTokens(request)),
  });
}

/** Tokens that prompt and answer have at least. */
function leastTokens({ messages, maxTokens }: ModelRequest): number {
  const chars = messages.reduce((sum, { text }) => sum + text.length, 0);
  return Math.floor(chars / CHARS_PER_TOKEN_MAX) + maxTokens;
}
