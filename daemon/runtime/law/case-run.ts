import { type CaseWorld, isMessage, type PolicyCase, wrong } from './case-world.ts';

/** The run that asks, or that is spoken to. Empty: the question is of no run. */
export type CaseRun = { readonly app?: string; readonly intent?: string };

/** Throws `schema.invalid` where no application of this configuration has such a run. */
export function caseRun(one: PolicyCase, world: CaseWorld): CaseRun {
  const { point } = one;
  if (one.app !== undefined && !world.apps.has(one.app))
    throw wrong('app', `${one.app} is no application of this configuration: auraison app list`);
  if (point === 'approval' || point === 'egress') {
    if (one.app === undefined) return {};
    throw wrong('app', 'no package is asked about answers and about data that leaves');
  }
  const app = one.app ?? one.about['app'];
  const intent = intentOf(one) ?? (app === undefined ? undefined : onlyIntent(app, world));
  if (intent === undefined) return {};
  const { chat } = world;
  const served = point === 'model' && intent === chat.intent ? chat.app : world.intents.get(intent)?.app;
  if (served === undefined)
    throw wrong(intent === one.subject ? 'subject' : 'about', `no application serves the intent ${intent}`);
  if (app !== undefined && app !== served)
    throw wrong('app', `the intent ${intent} is served by ${served}, not by ${app}`);
  return { app: served, intent };
}

function intentOf(one: PolicyCase): string | undefined {
  const { point, subject, facts, about } = one;
  if (point === 'intent' && !isMessage(one)) return subject;
  return about['intent'] ?? (isMessage(one) && typeof facts['type'] === 'string' ? facts['type'] : undefined);
}

/** The intent of each run of an application. */
function onlyIntent(app: string, { intents, chat }: CaseWorld): string {
  if (app === chat.app) return chat.intent;
  const [only, ...others] = [...intents].filter(([, one]) => one.app === app).map(([type]) => type);
  if (only !== undefined && others.length === 0) return only;
  const which = only === undefined ? 'none' : [only, ...others].join(', ');
  throw wrong('about', `which intent the run of ${app} has: about = { intent = "…" }, of ${which}`);
}
