import { expect, it } from 'vitest';
import { EdgeError, ERROR_CATALOGUE, ERROR_CODES, type ErrorCode } from '../../contract/index.ts';
import { errorReply, STATUS } from '../../daemon/http/error-reply.ts';

const thrown = (code: ErrorCode) => new EdgeError(code, { operation: 'test', subject: 'x' });

it('every error code has a status of its own choice', () => {
  expect(Object.keys(STATUS).sort()).toEqual([...ERROR_CODES].sort());
  for (const code of ERROR_CODES) expect(errorReply(thrown(code), 'op', 'id').status).toBe(STATUS[code]);
});

/** What a client can do something about: it asked wrongly, for what is not here, or for what cannot be now. */
const OF_THE_CLIENT =
  /\.(invalid|syntax|malformed|not_found|unknown_type|exists|duplicate|expired|finished|answered|not_supported|refused|too_large|bad_observation|denied|needs_approval|engaged|held|conflict|unauthorised|forbidden)$/;
const ALSO_OF_THE_CLIENT: readonly ErrorCode[] = [
  ...(['ros.unavailable', 'zenoh.unavailable', 'limit.exceeded', 'lake.failed', 'robot.no_path'] as const),
  ...(['quota.exceeded', 'run.budget', 'run.limit'] as const),
];

it('mistakes of the client are answered with 4xx', () => {
  const codes = ERROR_CODES.filter((code) => OF_THE_CLIENT.test(code) || ALSO_OF_THE_CLIENT.includes(code));
  expect(codes.length).toBeGreaterThan(45);
  expect(codes.filter((code) => STATUS[code] < 400 || STATUS[code] > 499)).toEqual([]);
});

it('a client is asked to try again only where the same request may succeed later', () => {
  const again = ERROR_CODES.filter((code) => STATUS[code] === 503 || STATUS[code] === 504);
  expect(again.filter((code) => !ERROR_CATALOGUE[code].retryable)).toEqual([]);
});

it('a client is not asked to try again what the error itself calls in vain', () => {
  const facts = { operation: 'episode', subject: 'recorder', message: 'the recorder is in continuous mode' };
  const reply = (retryable: boolean) =>
    errorReply(new EdgeError('recorder.failed', { ...facts, retryable }), 'op', 'id').status;
  expect([reply(true), reply(false)]).toEqual([503, 409]);
});

it('a defect of ours stays inside, and a code that nobody knows is one of the server', () => {
  expect(errorReply(new Error('secret'), 'op', 'id')).toMatchObject({ status: 500, defect: true });
  expect(JSON.stringify(errorReply(new Error('secret'), 'op', 'id'))).not.toContain('secret');
  const strange = new EdgeError('lake.failed', { operation: 'x', subject: 'y' });
  Object.assign(strange, { code: 'later.code' });
  expect(errorReply(strange, 'op', 'id').status).toBe(500);
});
