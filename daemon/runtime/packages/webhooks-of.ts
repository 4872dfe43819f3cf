import type { AppManifest } from '../../../contract/apps/index.ts';
import type { AppFault, WebhookRule, WebhookSpec } from '../../../contract/index.ts';
import { referencesIn } from './references.ts';

type Row = NonNullable<AppManifest['webhook']>[number];
type RuleRow = NonNullable<Row['rule']>[number];

/** The log and the principal name a webhook; longer names do not fit there. */
const NAME_CHARS_MAX = 64;

/** The webhooks of a manifest without faults. */
export function webhooksOf({ name, intents, webhook = [] }: AppManifest): readonly WebhookSpec[] {
  return webhook.map((row) => ({
    name: nameOf(name, row),
    description: row.description ?? `A message to ${row.name}`,
    rules: (row.rule ?? []).map((rule) => ruleOf(rule, intents[0]!.type)),
    otherwise: row.otherwise ?? 'refuse',
  }));
}

function ruleOf({ when = [], intent, params = {} }: RuleRow, first: string): WebhookRule {
  return {
    tests: when.map(({ value, is, is_not: isNot, above, below }) => ({
      at: value.split('/').slice(1),
      ...(is === undefined ? {} : { is }),
      ...(isNot === undefined ? {} : { isNot }),
      ...(above === undefined ? {} : { above }),
      ...(below === undefined ? {} : { below }),
    })),
    intent: intent ?? first,
    params,
  };
}

/** What only the whole shows. */
export function webhookFaults({ name, intents, webhook = [] }: AppManifest): readonly AppFault[] {
  return webhook.flatMap((row, index) => {
    const fault = (key: string, problem: string): AppFault => ({
      file: 'app.toml',
      key: `webhook[${index + 1}].${key}`,
      problem,
    });
    const found: AppFault[] = [];
    if (webhook.findIndex((one) => one.name === row.name) !== index)
      found.push(fault('name', `"${row.name}" is there twice`));
    if (nameOf(name, row).length > NAME_CHARS_MAX)
      found.push(
        fault('name', `with the name of the application it has at most ${NAME_CHARS_MAX} characters`),
      );
    if ((row.rule ?? []).length === 0 && row.otherwise !== 'model')
      found.push(fault('rule', 'is missing: a rule, or otherwise = "model", says what a message leads to'));
    for (const [at, rule] of (row.rule ?? []).entries()) {
      const key = (what: string) => `rule[${at + 1}].${what}`;
      const intent = intents.find(({ type }) => type === (rule.intent ?? intents[0]!.type));
      if (!intent)
        found.push(fault(key('intent'), `is one of its own: ${intents.map(({ type }) => type).join(', ')}`));
      const known = Object.keys((intent?.params?.['properties'] ?? {}) as object);
      const stranger = intent && Object.keys(rule.params ?? {}).find((one) => !known.includes(one));
      if (stranger !== undefined)
        found.push(
          fault(
            key('params'),
            `"${stranger}" is no parameter of ${intent!.type}: ${known.join(', ') || 'it has none'}`,
          ),
        );
      const wrong = referencesIn(rule.params).find(([root]) => root !== 'body');
      if (wrong)
        found.push(fault(key('params'), `{/${wrong.join('/')}} leads nowhere; references start with /body`));
      for (const [one, test] of (rule.when ?? []).entries()) {
        const tests = [test.is, test.is_not, test.above, test.below].filter((value) => value !== undefined);
        if (tests.length > 1)
          found.push(fault(key(`when[${one + 1}]`), 'has one of is, is_not, above, below'));
      }
    }
    return found;
  });
}

function nameOf(app: string, { name }: Row): string {
  return `${app}.${name}`;
}
