import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type ApprovalTerms,
  EdgeError,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
} from '../../contract/core.ts';
import { cedarCall } from './cedar-request.ts';
import { callOn, invalid, lineAt, type ParsedPolicy, type PolicyFile, parsePolicies } from './policy-text.ts';
import type { Cedar, CedarEngine } from './wasm.ts';

export const SCHEMA = readFileSync(new URL('./auraison.cedarschema', import.meta.url), 'utf8');
/** Default wait for the answer of a person. */
const APPROVAL_MS = 5 * 60_000;
const APPROVAL_MS_MAX = 7 * 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Names under which Cedar keeps parsed sets; freed by `close`, since Cedar itself never frees one. */
const free: string[] = [];
let made = 0;

type Rule = ParsedPolicy & { readonly approval?: ApprovalTerms };

/** A set of Cedar policies: parsed and checked against the schema once, then asked. Never throws when it judges. */
export class CedarJudge implements PolicyJudge {
  readonly sha256: string;
  readonly policies: readonly ParsedPolicy[];
  readonly #rules: ReadonlyMap<string, Rule>;
  readonly #engine: CedarEngine;
  readonly #slot: string;
  /** Of the engine when it got this set. */
  #generation = 0;

  /**
   * Throws `policy.invalid` with file, line and policy id. `extra`: further input of the hash. `checked`: what
   * `checkPolicies` gave for these files, where it was called before.
   */
  constructor(
    engine: CedarEngine,
    files: readonly PolicyFile[],
    extra: readonly PolicyFile[] = [],
    checked: readonly ParsedPolicy[] = checkPolicies(engine, files),
  ) {
    this.#engine = engine;
    this.policies = checked;
    this.#rules = new Map(this.policies.map((policy) => [policy.id, { ...policy, ...termsOf(policy) }]));
    const first = files[0]?.file ?? 'policies';
    this.sha256 = hashOf([...files, ...extra]);
    this.#slot = free.pop() ?? `set-${++made}`;
    try {
      callOn(engine, first, (cedar) => this.#prepare(cedar));
    } catch (thrown) {
      free.push(this.#slot);
      throw thrown;
    }
  }

  judge(request: PolicyRequest): PolicyVerdict {
    try {
      const call = { ...cedarCall(request), preparsedPolicySetId: this.#slot };
      const answer = this.#engine.call((cedar) => {
        // A trap, of whatever caller, made a new instance, which does not know this set.
        if (this.#generation !== this.#engine.generation) this.#prepare(cedar);
        return cedar.statefulIsAuthorized(call);
      });
      if (answer.type === 'failure')
        return denied(`cannot be judged: ${answer.errors[0]?.message ?? 'no reason given'}`);
      return this.#verdict(answer.response);
    } catch (thrown) {
      return denied(`cannot be judged: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }

  /** Frees the parsed set; it must not be used afterwards. */
  close(): void {
    if (this.#generation === this.#engine.generation)
      this.#engine.call((cedar) => cedar.preparsePolicySet(this.#slot, { staticPolicies: {} }));
    free.push(this.#slot);
  }

  #prepare(cedar: Cedar): void {
    const staticPolicies = Object.fromEntries(this.policies.map(({ id, text }) => [id, text]));
    const parsed = cedar.preparsePolicySet(this.#slot, { staticPolicies });
    if (parsed.type === 'failure')
      throw invalid(
        this.policies[0]?.file ?? 'policies',
        1,
        '',
        parsed.errors[0]?.message ?? 'cannot be parsed',
      );
    this.#generation = this.#engine.generation;
  }

  #verdict({ decision, diagnostics }: Response): PolicyVerdict {
    const determining = [...diagnostics.reason].sort().slice(0, 64);
    // Cedar skips a policy that fails; a skipped prohibition would permit, so a failure denies.
    const failed = diagnostics.errors[0];
    if (failed)
      return {
        ...denied(`policy ${failed.policyId} failed: ${failed.error.message}`),
        determining: [failed.policyId],
      };
    const rules = determining.map((id) => this.#rules.get(id)!);
    if (decision === 'deny') {
      const first = rules[0];
      const why = first?.annotations['reason'];
      if (!first) return denied('no policy permits it');
      return { decision: 'deny', reason: `forbidden by ${first.id}${why ? `: ${why}` : ''}`, determining };
    }
    const asks = rules.filter((rule) => rule.approval);
    if (asks.length === 0)
      return { decision: 'allow', reason: `permitted by ${determining[0]}`, determining };
    return { decision: 'needs_approval', reason: reasonOf(asks), determining, approval: strictest(asks) };
  }
}

/** Parses the policies and checks them against the schema: most of the time that a set takes. Throws `policy.invalid`. */
export function checkPolicies(engine: CedarEngine, files: readonly PolicyFile[]): readonly ParsedPolicy[] {
  const policies = parsePolicies(engine, files);
  for (const policy of policies) termsOf(policy);
  callOn(engine, files[0]?.file ?? 'policies', (cedar) => validate(cedar, policies));
  return policies;
}

type Response = Extract<ReturnType<Cedar['statefulIsAuthorized']>, { type: 'success' }>['response'];

/** Over names and texts, in the order of the names: the same files give the same hash on every robot. */
export function hashOf(files: readonly PolicyFile[]): string {
  const hash = createHash('sha256');
  for (const { file, text } of [...files].sort((a, b) => (a.file < b.file ? -1 : 1)))
    hash.update(JSON.stringify([file, text])).update('\n');
  return hash.digest('hex');
}

function denied(reason: string): PolicyVerdict {
  return { decision: 'deny', reason: reason.slice(0, 512), determining: [] };
}

function reasonOf(asks: readonly Rule[]): string {
  return asks
    .map((rule) => rule.annotations['approve'] || `${rule.id} requires the approval of a person`)
    .join('; ');
}

/** Several permits that ask: the shortest wait, and only roles that all of them name. */
function strictest(asks: readonly Rule[]): ApprovalTerms {
  const terms = asks.map((rule) => rule.approval!);
  const named = terms.filter(({ roles }) => roles.length > 0).map(({ roles }) => roles);
  const shared =
    named.length === 0 ? [] : named[0]!.filter((role) => named.every((all) => all.includes(role)));
  // No role may answer for all of them: a name that no principal has.
  const roles = named.length > 0 && shared.length === 0 ? ['nobody'] : shared;
  return { timeoutMs: Math.min(...terms.map(({ timeoutMs }) => timeoutMs)), roles };
}

function termsOf({ annotations, file, line, id }: ParsedPolicy): { approval?: ApprovalTerms } {
  const { approve, timeout, approvers } = annotations;
  if (approve === undefined) {
    if (timeout !== undefined || approvers !== undefined)
      throw invalid(file, line, id, '@timeout and @approvers need an @approve on the same policy');
    return {};
  }
  const roles = (approvers ?? '')
    .split(',')
    .map((role) => role.trim())
    .filter((role) => role !== '');
  const odd = roles.find((role) => !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/.test(role));
  if (odd !== undefined || roles.length > 32)
    throw invalid(file, line, id, `@approvers("${approvers}"): expected role names, separated by commas`);
  return {
    approval: { timeoutMs: timeout === undefined ? APPROVAL_MS : durationOf(timeout, file, line, id), roles },
  };
}

function durationOf(text: string, file: string, line: number, id: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?) ?(s|min|h|d)$/.exec(text);
  const ms = match ? Math.round(Number(match[1]) * UNITS[match[2]!]!) : 0;
  if (ms >= 1_000 && ms <= APPROVAL_MS_MAX) return ms;
  throw invalid(file, line, id, `@timeout("${text}"): expected a time from 1 s to 7 d, for example "5 min"`);
}

function validate(cedar: Cedar, policies: readonly ParsedPolicy[]): void {
  const staticPolicies = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const answer = cedar.validate({
    validationSettings: { mode: 'strict' },
    schema: SCHEMA,
    policies: { staticPolicies },
  });
  if (answer.type === 'failure') {
    const message = answer.errors[0]?.message ?? 'the policies cannot be checked';
    throw new EdgeError('policy.invalid', { operation: 'load policies', subject: 'schema', message });
  }
  const fault = answer.validationErrors[0];
  if (!fault) return;
  const policy = policies.find(({ id }) => id === fault.policyId);
  const start = fault.error.sourceLocations?.[0]?.start ?? 0;
  const line = policy ? policy.line + lineAt(policy.text, start) - 1 : 1;
  const help = fault.error.help ? ` (${fault.error.help})` : '';
  throw invalid(policy?.file ?? 'policies', line, fault.policyId, `${fault.error.message}${help}`);
}
