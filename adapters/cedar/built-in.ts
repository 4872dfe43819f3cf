import { readFileSync } from 'node:fs';
import {
  isSamePerson,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
} from '../../contract/core.ts';
import { hashOf } from './cedar-judge.ts';
import { flatten } from './flatten.ts';
import type { PolicyFile } from './policy-text.ts';

const file = 'built-in';
/** The policies in force where none is configured, as Cedar text. */
export const BUILT_IN: readonly PolicyFile[] = [
  { file, text: readFileSync(new URL('./built-in.cedar', import.meta.url), 'utf8') },
];

/**
 * The same policies written out by hand: a robot without policies of its own need not load Cedar. A property test
 * holds both against each other.
 */
export class BuiltInJudge implements PolicyJudge {
  readonly sha256 = hashOf(BUILT_IN);
  readonly policies = ['operators', 'schedules', 'models-and-egress', 'operators-answer'].map((name) => ({
    id: `${file}#${name}`,
    effect: 'permit' as const,
    line: lineOf(name),
    text: textOf(name),
  }));

  judge(request: PolicyRequest): PolicyVerdict {
    try {
      // A question that cannot be judged there is refused here too.
      flatten(request.facts);
    } catch (thrown) {
      return { decision: 'deny', reason: `cannot be judged: ${(thrown as Error).message}`, determining: [] };
    }
    const determining = permitting(request).map((name) => `${file}#${name}`);
    const [first] = determining;
    if (first === undefined) return { decision: 'deny', reason: 'no policy permits it', determining };
    return { decision: 'allow', reason: `permitted by ${first}`, determining };
  }

  close(): void {}
}

function permitting({ point, principal, about }: PolicyRequest): readonly string[] {
  const operator = principal.roles.includes('operator');
  switch (point) {
    case 'intent':
    case 'tool':
      return [
        ...(operator ? ['operators'] : []),
        ...(principal.origin === 'schedule' && principal.roles.includes('schedule') ? ['schedules'] : []),
      ];
    case 'model':
    case 'egress':
      return ['models-and-egress'];
    case 'approval': {
      const own =
        about['tenant'] === principal.tenant && isSamePerson(String(about['requester']), principal.id);
      return operator && about['tenant'] === principal.tenant && !own ? ['operators-answer'] : [];
    }
  }
}

function lineOf(name: string): number {
  const { text } = BUILT_IN[0]!;
  return text.slice(0, text.indexOf(`@id("${name}")`)).split('\n').length;
}

/** From its annotation to its end. */
function textOf(name: string): string {
  const { text } = BUILT_IN[0]!;
  const from = text.indexOf(`@id("${name}")`);
  return text.slice(from, text.indexOf(';', from) + 1);
}
