import type { TSchema } from 'typebox';
import { Build } from 'typebox/schema';
import { CALL_BODIES } from '../bodies/index.ts';
import { ErrorBody } from '../errors.ts';
import { EVENT_PAYLOADS } from '../event-payloads.ts';
import { MOTION_GOALS } from '../motion/goals.ts';
import { FAULT_WORDS } from '../schema-fault.ts';

/**
 * Text of `contract/schema/fits.ts`: what the schema library compiles for these schemas, written down, so that
 * processes check their events without it. The code is the library's own; only the expressions that it keeps
 * beside it are put back in.
 */
export function fitsFile(): string {
  const payloads = Object.entries(EVENT_PAYLOADS).map(
    ([kind, schema]) => `  '${kind}': ${functionOf(schema)},`,
  );
  return [
    '// @ts-nocheck',
    '// Made by `npm run schemas` from the schemas of the contract; a golden test holds it.',
    "import { Guard } from 'typebox/guard';",
    "import type { EventKind } from '../event-payloads.ts';",
    '',
    'export const PAYLOAD_FITS: Readonly<Record<EventKind, (payload: unknown) => boolean>> = {',
    ...payloads,
    '};',
    '',
    `export const ERROR_BODY_FITS: (value: unknown) => boolean = ${functionOf(ErrorBody)};`,
    '',
  ].join('\n');
}

/** Text of `contract/schema/motion-fits.ts`: the same for the goals of motions. */
export function motionFitsFile(): string {
  const goals = Object.entries(MOTION_GOALS).map(([kind, schema]) => `  ${kind}: ${functionOf(schema)},`);
  return [
    '// @ts-nocheck',
    '// Made by `npm run schemas` from the schemas of the contract; a golden test holds it.',
    "import { Guard } from 'typebox/guard';",
    "import type { MotionKind } from '../motion/goals.ts';",
    '',
    'export const MOTION_FITS: Readonly<Record<MotionKind, (goal: unknown) => boolean>> = {',
    ...goals,
    '};',
    '',
  ].join('\n');
}

/** Text of `contract/schema/bodies-fits.ts`: the same for the bodies of calls between cells. */
export function bodiesFitsFile(): string {
  // Many calls share a body: each function is written once, and made at its first use.
  const names = new Map<string, string>();
  const nameOf = (schema: TSchema): string => {
    const code = functionOf(schema);
    if (!names.has(code)) names.set(code, `fits${names.size}`);
    return names.get(code)!;
  };
  const calls = Object.entries(CALL_BODIES).map(
    ([call, { ask, reply }]) => `  '${call}': { ask: ${nameOf(ask)}, reply: ${nameOf(reply)} },`,
  );
  return [
    '// @ts-nocheck',
    '// Made by `npm run schemas` from the schemas of the contract; a golden test holds it.',
    "import { Guard } from 'typebox/guard';",
    "import type { CallName } from '../calls.ts';",
    '',
    'type Fits = (body: unknown) => boolean;',
    'const late = (make: () => Fits): Fits => {',
    '  let fits: Fits | undefined;',
    '  return (body) => {',
    '    fits ??= make();',
    '    return fits(body);',
    '  };',
    '};',
    '',
    ...[...names].map(([code, name]) => `const ${name} = late(() => ${code});`),
    '',
    'export const BODY_FITS: Readonly<Record<CallName, { readonly ask: Fits; readonly reply: Fits }>> = {',
    ...calls,
    '};',
    '',
  ].join('\n');
}

/** Text of `contract/schema/bodies-parts.ts`: the schemas of these bodies as data, by which a refusal names its key. */
export function bodiesPartsFile(): string {
  const names = new Map<string, string>();
  const nameOf = (schema: TSchema): string => {
    const text = JSON.stringify(partOf(schema));
    if (!names.has(text)) names.set(text, `part${names.size}`);
    return names.get(text)!;
  };
  const calls = Object.entries(CALL_BODIES).map(
    ([call, { ask, reply }]) => `  '${call}': { ask: ${nameOf(ask)}, reply: ${nameOf(reply)} },`,
  );
  const goals = Object.entries(MOTION_GOALS).map(([kind, goal]) => `  ${kind}: ${nameOf(goal)},`);
  return [
    '// Made by `npm run schemas` from the schemas of the contract; a golden test holds it.',
    "import type { CallName } from '../calls.ts';",
    "import type { MotionKind } from '../motion/goals.ts';",
    "import type { PlainPart } from '../schema-fault.ts';",
    '',
    ...[...names].map(([text, name]) => `const ${name}: PlainPart = ${text};`),
    '',
    'export const BODY_SCHEMAS: Readonly<Record<CallName, { readonly ask: PlainPart; readonly reply: PlainPart }>> = {',
    ...calls,
    '};',
    '',
    'export const MOTION_SCHEMAS: Readonly<Record<MotionKind, PlainPart>> = {',
    ...goals,
    '};',
    '',
  ].join('\n');
}

/** The schema without its descriptions; keys of `properties` are names, and no keywords. */
function partOf(schema: unknown, named = false): unknown {
  if (Array.isArray(schema)) return schema.map((one) => partOf(one));
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([word]) => named || word !== 'description');
  const stranger = kept.find(([word]) => !named && !FAULT_WORDS.has(word));
  if (stranger) throw new Error(`schema-fault.ts does not know the keyword ${stranger[0]}`);
  const isNames = (word: string) => !named && (word === 'properties' || word === 'patternProperties');
  return Object.fromEntries(kept.map(([word, held]) => [word, partOf(held, isNames(word))]));
}

function functionOf(schema: TSchema): string {
  const build = Build(schema);
  const { variables } = build.External();
  const expressions = variables.map((variable: unknown) => {
    if (variable instanceof RegExp) return String(variable);
    throw new Error(`a schema of the contract needs ${String(variable)}: fits.ts knows expressions only`);
  });
  if (build.UseUnevaluated()) throw new Error('fits.ts knows no unevaluated properties');
  const code = build.Evaluate().Code();
  for (const helper of ['CheckContext', 'Format.', 'Hashing.'])
    if (code.includes(helper)) throw new Error(`a schema of the contract needs ${helper}`);
  return `(() => { const External = [${expressions.join(', ')}]; ${code} })()`;
}
