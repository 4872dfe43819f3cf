import { EdgeError, LIMITS } from '../../contract/core.ts';
import { scanPolicies } from './policy-scan.ts';
import type { Cedar, CedarEngine } from './wasm.ts';

export type PolicyFile = { readonly file: string; readonly text: string };

export type ParsedPolicy = {
  /** `file#id`: the annotation `@id`, else its number in the file. */
  readonly id: string;
  readonly file: string;
  /** Line of its effect or first annotation, from 1. */
  readonly line: number;
  readonly text: string;
  readonly effect: 'permit' | 'forbid';
  readonly annotations: Readonly<Record<string, string>>;
};

const KNOWN_ANNOTATIONS = new Set(['id', 'approve', 'timeout', 'approvers', 'reason', 'about']);

type Detailed = Extract<ReturnType<Cedar['policySetTextToParts']>, { type: 'failure' }>['errors'][number];

/** The policies of all files. Throws `policy.invalid` with file, line and what was expected. */
export function parsePolicies(engine: CedarEngine, files: readonly PolicyFile[]): ParsedPolicy[] {
  refuseTooLarge(files);
  const all: ParsedPolicy[] = [];
  const ids = new Map<string, ParsedPolicy>();
  for (const file of files) {
    for (const policy of callOn(engine, file.file, (cedar) => parseFile(cedar, file))) {
      const other = ids.get(policy.id);
      if (other) throw invalid(policy.file, policy.line, policy.id, `line ${other.line} has the same @id`);
      ids.set(policy.id, policy);
      all.push(policy);
    }
  }
  return all;
}

/** Before Cedar sees them: it takes seconds for many policies, and an expression that is too deep ends it. */
function refuseTooLarge(files: readonly PolicyFile[]): void {
  let policies = 0;
  for (const { file, text } of files) {
    const found = scanPolicies(text);
    policies += found.policies;
    if (policies > LIMITS.CEDAR_POLICIES_MAX)
      throw invalid(file, 1, '', `at most ${LIMITS.CEDAR_POLICIES_MAX} policies expected, found ${policies}`);
    if (found.tooDeepAt !== undefined)
      throw invalid(
        file,
        text.slice(0, found.tooDeepAt).split('\n').length,
        '',
        `expressions of at most ${LIMITS.CEDAR_DEPTH_MAX} levels expected (CEDAR_DEPTH_MAX), found ${found.depth}: write [a, b].contains(x) instead of a long chain, or several policies`,
      );
  }
}

/** Throws `policy.invalid` with the file where Cedar itself fails. */
export function callOn<T>(engine: CedarEngine, file: string, work: (cedar: Cedar) => T): T {
  try {
    return engine.call(work);
  } catch (thrown) {
    if (thrown instanceof EdgeError) throw thrown;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw invalid(file, 1, '', `Cedar cannot process this: ${why}`);
  }
}

function parseFile(cedar: Cedar, { file, text }: PolicyFile): ParsedPolicy[] {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') throw syntax(file, text, parts.errors);
  if (parts.policy_templates.length > 0)
    throw invalid(
      file,
      text.slice(0, Math.max(0, text.indexOf('?'))).split('\n').length,
      '',
      'templates (?principal, ?resource) are not supported',
    );
  let from = 0;
  return parts.policies.map((part, index) => {
    const at = Math.max(from, text.indexOf(part, from));
    from = at + part.length;
    const line = text.slice(0, at).split('\n').length;
    const json = cedar.policyToJson(part);
    if (json.type === 'failure') throw syntax(file, text, json.errors);
    const annotations = json.json.annotations ?? {};
    const name = annotations['id'] ?? String(index + 1);
    const id = `${file}#${name}`;
    const stranger = Object.keys(annotations).find((key) => !KNOWN_ANNOTATIONS.has(key));
    if (stranger !== undefined)
      throw invalid(file, line, id, `@${stranger} is unknown; known: @${[...KNOWN_ANNOTATIONS].join(', @')}`);
    if (json.json.effect === 'forbid' && annotations['approve'] !== undefined)
      throw invalid(
        file,
        line,
        id,
        '@approve is allowed only on a permit: a person approves what the policy permits',
      );
    return { id, file, line, text: part, effect: json.json.effect, annotations };
  });
}

/** Offsets of Cedar count bytes of UTF-8. */
export function lineAt(text: string, offset: number): number {
  return Buffer.from(text).subarray(0, offset).toString('utf8').split('\n').length;
}

function syntax(file: string, text: string, errors: readonly Detailed[]): EdgeError {
  // The last related position is the first fault; the end of the file is rarely the cause.
  const all = errors.flatMap((error) => [error, ...(error.related ?? [])]);
  const told = all
    .map((error) => ({ error, at: error.sourceLocations?.[0]?.start ?? text.length }))
    .sort((a, b) => a.at - b.at)[0];
  const at = told?.at ?? 0;
  const expected = told?.error.sourceLocations?.[0]?.label;
  const message = `${told?.error.message ?? 'cannot be parsed'}${expected ? ` (${expected})` : ''}`;
  return invalid(file, lineAt(text, at), '', message);
}

export function invalid(file: string, line: number, id: string, message: string): EdgeError {
  const policy = id === '' ? '' : `policy ${id}: `;
  return new EdgeError('policy.invalid', {
    operation: 'load policies',
    subject: `${file}:${line}`,
    message: `${file}:${line}: ${policy}${message}`,
    hint: 'check them with `auraison policy check --policy DIR`; docs/policies.md lists the names that policies may use',
  });
}
