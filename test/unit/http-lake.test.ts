import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EdgeError, type LakePage, METHODS } from '../../contract/index.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

it('says whether a rebuilt lake is there already, and why it cannot be', async () => {
  const fails = (code: 'deadline.exceeded' | 'lake.unavailable') => async () => {
    throw new EdgeError(code, { operation: 'lake.rebuild', subject: 'lake', message: code });
  };
  const rebuild = async () => {
    const answer = await rig.post('/v1/lake/rebuild', {});
    return [answer.status, await answer.json()];
  };
  rig.answers.set(METHODS.memory.rebuild, async () => ({ projected: {} }));
  expect(await rebuild()).toEqual([200, { done: true }]);
  rig.answers.set(METHODS.memory.rebuild, fails('deadline.exceeded'));
  expect(await rebuild()).toEqual([200, { done: false }]);
  rig.answers.set(METHODS.memory.rebuild, fails('lake.unavailable'));
  expect(await rebuild()).toEqual([503, expect.objectContaining({ code: 'lake.unavailable' })]);
});

/** Pages of a statement by the name it is read under; what was asked of it. */
function serveRead(pages: readonly (LakePage | EdgeError)[]) {
  const asked: unknown[] = [];
  const left = [...pages];
  const { read, readNext, readClose } = METHODS.memory;
  rig.answers.set(read, async (body) => {
    asked.push(['read', body]);
    return { readId: '7', columns: [{ name: 'n', type: 'BIGINT' }] };
  });
  rig.answers.set(readNext, async (body) => {
    asked.push(['next', body]);
    const page = left.shift();
    if (page instanceof EdgeError) throw page;
    return page;
  });
  rig.answers.set(readClose, async (body) => void asked.push(['close', body]));
  return asked;
}
const page = (rows: unknown[][], end?: LakePage['end']): LakePage => ({
  ...{ rows, bytes: 10, cut: 1 },
  ...(end ? { end } : {}),
});
const LINES = { accept: 'application/x-ndjson' };
const late = new EdgeError('deadline.exceeded', { operation: 'lake.query', subject: 'x', message: 'late' });

it('streams the rows of a statement as lines, page by page', async () => {
  const end = { truncated: true, reason: 'the limit of 3 rows' };
  const asked = serveRead([page([[1], ['ä\n']]), page([]), page([[3n]], end)]);
  const answer = await rig.post('/v1/query', { sql: 'FROM t', limit: 3 }, LINES);
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  const lines = (await answer.text()).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { columns: [{ name: 'n', type: 'BIGINT' }] },
    ...[[1], ['ä\n'], ['3']],
    { end: { ...end, rows: 3, bytes: 30, cut: 3 } },
  ]);
  await vi.waitFor(() => expect(asked.at(-1)).toEqual(['close', { readId: '7' }]));
  expect(asked[0]).toEqual([
    'read',
    { by: { tenant: 'local', principal: 'operator' }, sql: 'FROM t', limit: 3, timeoutMs: 30_000 },
  ]);
});

it('answers with a status where the first page fails, and with a last line where a later one does', async () => {
  serveRead([late]);
  const refused = await rig.post('/v1/query', { sql: 'FROM t' }, LINES);
  expect([refused.status, await refused.json()]).toEqual([504, expect.objectContaining({ message: 'late' })]);
  serveRead([page([[1]]), late]);
  const cut = await rig.post('/v1/query', { sql: 'FROM t' }, LINES);
  const lines = (await cut.text()).trimEnd().split('\n');
  expect(cut.status).toBe(200);
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ error: { code: 'deadline.exceeded' } });
});

it('closes a statement whose client goes away, and fetches no more of it', async () => {
  const rows = Array.from({ length: 500 }, () => ['x'.repeat(1_000)]);
  const asked = serveRead(Array.from({ length: 200 }, () => page(rows)));
  const answer = await rig.post('/v1/query', { sql: 'FROM t' }, LINES);
  const reader = answer.body!.getReader();
  await reader.read();
  await reader.cancel();
  await vi.waitFor(() => expect(asked.at(-1)).toEqual(['close', { readId: '7' }]));
  expect(asked.length).toBeLessThan(150);
});

it('answers as JSON whoever does not ask for lines', async () => {
  const rows = { columns: [], rows: [[1]], truncated: false, reason: '', bytes: 8, cut: 0 };
  rig.answers.set(METHODS.memory.query, async () => rows);
  for (const accept of ['*/*', 'application/json', 'text/html, application/xml;q=0.9']) {
    const answer = await rig.post('/v1/query', { sql: 'SELECT 1' }, { accept });
    expect([answer.headers.get('content-type'), await answer.json()]).toEqual([
      'application/json; charset=utf-8',
      rows,
    ]);
  }
});
