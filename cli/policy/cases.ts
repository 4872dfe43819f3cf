import { readFileSync } from 'node:fs';
import { resourceOf } from '../../adapters/cedar/cedar-request.ts';
import {
  EdgeError,
  type HookPoint,
  type PolicyJudge,
  type PolicyRequest,
  type PolicyVerdict,
} from '../../contract/core.ts';
import { tomlOf } from '../../daemon/config.ts';

export type CaseResult = {
  readonly name: string;
  readonly ok: boolean;
  readonly expected: string;
  readonly found: PolicyVerdict;
};

const POINTS = ['intent', 'tool', 'model', 'egress', 'approval'];
const DECISIONS = ['allow', 'deny', 'needs_approval'];
const KEYS = [
  'name',
  'point',
  'subject',
  'principal',
  'tenant',
  'roles',
  'origin',
  'grant',
  'facts',
  'about',
  'time',
  'expect',
  'by',
];

/** Judges the cases of a TOML or JSON file (`[[case]]`). Throws `schema.invalid` with the case that is wrong. */
export function runCases(file: string, judge: PolicyJudge, robot: string): readonly CaseResult[] {
  return readCases(file).map((row, index) => {
    const { name, request, expected, by } = caseOf(row, `${file}: case ${index + 1}`, robot);
    const found = judge.judge(request);
    const ok =
      found.decision === expected && (by === undefined || found.determining.some((id) => id.endsWith(by)));
    return {
      name: name ?? `${request.point} ${request.resource.id}`,
      ok,
      expected: by ? `${expected} by ${by}` : expected,
      found,
    };
  });
}

function readCases(file: string): readonly unknown[] {
  const text = readFileSync(file, 'utf8');
  const value = (file.endsWith('.json') ? JSON.parse(text) : tomlOf(text)) as { case?: unknown };
  const rows = Array.isArray(value) ? value : value.case;
  if (Array.isArray(rows) && rows.length > 0) return rows;
  throw wrong(file, 'a list of [[case]] expected');
}

function caseOf(row: unknown, where: string, robot: string) {
  const given = (row ?? {}) as Record<string, unknown>;
  const stranger = Object.keys(given).find((key) => !KEYS.includes(key));
  if (stranger !== undefined) throw wrong(where, `only the keys ${KEYS.join(', ')}, not "${stranger}"`);
  const { point, subject, principal = 'operator', tenant = 'local', roles = [], origin = 'api' } = given;
  const { grant, facts = {}, about = {}, time, expect, name, by } = given;
  if (!POINTS.includes(point as string)) throw wrong(where, `point = one of ${POINTS.join(', ')}`);
  if (typeof subject !== 'string') throw wrong(where, 'subject = "name"');
  if (!DECISIONS.includes(expect as string)) throw wrong(where, `expect = one of ${DECISIONS.join(', ')}`);
  const ms = time === undefined ? 0 : Date.parse(String(time));
  if (!Number.isFinite(ms)) throw wrong(where, 'time = a date and time');
  const request: PolicyRequest = {
    point: point as HookPoint,
    principal: {
      tenant: tenant as string,
      id: principal as string,
      roles: roles as string[],
      origin: origin as PolicyRequest['principal']['origin'],
      ...(grant === undefined ? {} : { grant: grant as string }),
    },
    resource: resourceOf(point as HookPoint, subject),
    robot,
    ts_ms: ms,
    about: about as Record<string, string>,
    facts: facts as Record<string, unknown>,
    entities: [],
  };
  return {
    name: name as string | undefined,
    request,
    expected: expect as string,
    by: by as string | undefined,
  };
}

function wrong(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'policy test',
    subject,
    message: `${subject}: ${message}`,
  });
}
