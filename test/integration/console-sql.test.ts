import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type AgentEvent, type LakeQueryRequest, METHODS, type NewEvent } from '../../contract/index.ts';
import { LakeReads } from '../../daemon/memory/lake-reads.ts';
import { diffRuns } from '../../daemon/runtime/replay/run-diff.ts';
import { launchBrowser } from '../support/browser.ts';
import { freshDir } from '../support/daemon.ts';
import { answerAll } from '../support/http-answers.ts';
import { phase, type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { DESKTOP, pageIsGood } from '../support/page-is-good.ts';
import { lakeOf, recordScene, SCENE_BAG } from '../support/recorded-scene.ts';
import type { TopicLake } from '../support/recorded-topics.ts';
import { TinyLog, uuid } from '../support/tiny-log.ts';

/** SQL and two runs side by side in a real browser, over the real API, a real lakehouse and the real comparison. */
const OTHER = uuid(903);
const directory = freshDir('console-sql');
let lake: TopicLake;
let rig: Rig;
let browser: Browser;
let page: Page;
const problems: string[] = [];

const called = (x: number): NewEvent[] => [
  phase(1),
  {
    kind: 'tool.called',
    run_id: RUN_ID,
    payload: {
      ...{ call_id: uuid(71), tool: 'robot.navigate', args: { x }, effect: 'actuate', replay: 'never' },
      deadline_ms: 1000,
    } as never,
  },
  ...Array.from({ length: 9 }, (_, i) => phase(i + 2)),
];
function eventsOf(events: readonly NewEvent[]): readonly AgentEvent[] {
  const log = new TinyLog('runtime');
  return events.map((event) => log.append(event));
}

beforeAll(async () => {
  const scene = await recordScene(directory.path);
  lake = await lakeOf(directory.path, scene.path);
  const logs = new Map([
    [RUN_ID, eventsOf(called(1))],
    [OTHER, eventsOf(called(2))],
  ]);
  const replay = {
    replay: async () => ({}) as never,
    trace: async () => [],
    diff: async (a: string, b: string) =>
      diffRuns({ runId: a, events: logs.get(a)! }, { runId: b, events: logs.get(b)! }),
  };
  rig = await startRig({}, { replay });
  answerAll(rig);
  const reads = new LakeReads(new SystemClock());
  const limits = ({ limit, timeoutMs }: LakeQueryRequest) => ({
    limit: limit ?? 1_000,
    timeoutMs: timeoutMs ?? 20_000,
  });
  const { query, read, readNext, readClose } = METHODS.memory;
  rig.answers.set(query, async (body) => {
    const ask = body as LakeQueryRequest;
    return await lake.lake.query(ask.sql, limits(ask));
  });
  rig.answers.set(read, async (body) => {
    const ask = body as LakeQueryRequest;
    return await reads.open(() => lake.lake.read(ask.sql, limits(ask)), ask.by);
  });
  rig.answers.set(readNext, async (body) => await reads.next((body as { readId: string }).readId));
  rig.answers.set(readClose, async (body) => reads.close((body as { readId: string }).readId));
  const plain = rig.runtime.run.bind(rig.runtime);
  const other = () => {
    const details = plain(RUN_ID);
    return { ...details, run: { ...details.run, run_id: OTHER } };
  };
  rig.runtime.run = (id) => (id === OTHER ? other() : plain(id));
  rig.runtime.runs = () => [plain(RUN_ID), other()];
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
  await lake?.dispose();
  directory.remove();
});
beforeEach(async () => {
  page = await browser.newPage({ viewport: DESKTOP });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/content security|trusted/i.test(message.text())) problems.push(message.text());
  });
});
afterEach(async () => {
  await page.close();
  expect(problems).toEqual([]);
});

async function open(address: string): Promise<void> {
  await page.goto(rig.url + address);
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
}

const editor = () => page.getByRole('textbox', { name: 'Statement' });
const state = () => page.locator('#sql-state');

it('a statement is written with completion, run, shown as table and chart, saved as CSV and linked', async () => {
  await open('/#/sql');
  await page.locator('.sql-tables').getByText('segments', { exact: true }).waitFor();
  await editor().fill('SELECT bag, dropped FROM ');
  await editor().pressSequentially('ba');
  await page.getByRole('option', { name: 'bags', exact: true }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect.poll(() => editor().inputValue()).toBe('SELECT bag, dropped FROM bags');
  await editor().pressSequentially(' WHERE bags.seg');
  await page.getByRole('option', { name: 'segments', exact: true }).click();
  await editor().pressSequentially(' > 0');
  await expect
    .poll(() => editor().inputValue())
    .toBe('SELECT bag, dropped FROM bags WHERE bags.segments > 0');
  await page.keyboard.press('Control+Enter');
  await page.getByRole('cell', { name: SCENE_BAG, exact: true }).waitFor();
  expect(await state().innerText()).toMatch(/^1 row in /);
  const odom = `SELECT log_time, pose.pose.position.x AS x, pose.pose.position.y AS y, '=1+1' AS "a,b" FROM messages('/odom') ORDER BY 1`;
  await editor().fill(odom);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect.poll(() => state().innerText()).toMatch(/^201 rows in /);
  await pageIsGood(page, 'sql');
  await page.getByRole('button', { name: 'chart', exact: true }).click();
  await page.getByRole('img', { name: 'x, y over log_time, 201 rows' }).waitFor();
  await pageIsGood(page, 'sql-chart');
  await page.getByRole('checkbox', { name: 'y' }).uncheck();
  await page.getByRole('img', { name: 'x over log_time, 201 rows' }).waitFor();
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const file = join(directory.path, 'rows.csv');
  await (await coming).saveAs(file);
  const lines = readFileSync(file, 'utf8').split('\r\n');
  expect([lines.length, lines[0]]).toEqual([203, 'log_time,x,y,"a,b"']);
  // A spreadsheet takes no value for a formula.
  expect(lines[1]).toMatch(/,'=1\+1$/);
  // The address is a link to the statement and what it gives.
  const address = page.url();
  expect(address).toContain('#/sql/SELECT%20log_time');
  await page.goto('about:blank');
  await page.goto(address);
  await expect.poll(() => state().innerText()).toMatch(/^201 rows in /);
  expect(await editor().inputValue()).toBe(odom);
});

it('says faults and budgets as the API does, and cancels what takes long', async () => {
  await open('/#/sql');
  const run = async (sql: string) => {
    await editor().fill(sql);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
  };
  await run('SELECT * FROM nothing_here');
  await expect.poll(() => state().innerText()).toMatch(/nothing_here/);
  expect(await state().getAttribute('class')).toBe('bad');
  await run('DROP TABLE events');
  await expect.poll(() => state().innerText()).toMatch(/read|SELECT|only/i);
  await page.getByLabel('rows at most').selectOption('100');
  await run('SELECT range AS n FROM range(5000)');
  await expect.poll(() => state().innerText()).toMatch(/^100 rows in .*there are more rows/);
  await page.getByLabel('rows at most').selectOption('10000');
  await run('SELECT range AS n FROM range(5000)');
  await page.getByText('The table shows 1,000 of 5,000 rows').waitFor();
  await run('SELECT count(*) FROM range(10000000) a, range(10000000) b');
  await page.getByText('running', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('cancelled', { exact: true }).waitFor();
});

it('two runs are compared from their first difference on', async () => {
  await open(`/#/runs/${RUN_ID}`);
  await page.getByRole('link', { name: 'compare it with another' }).click();
  await page.getByLabel('Other').selectOption(OTHER);
  await page.getByText(/1 of \d+ lines differ\. First: .*robot\.navigate/).waitFor();
  const first = page.locator('.diff tr[aria-current]');
  expect(await first.innerText()).toContain('arguments');
  expect(await first.locator('code').allInnerTexts()).toEqual([
    expect.stringContaining('"x":1'),
    expect.stringContaining('"x":2'),
  ]);
  await page.getByText(/\d equal lines/).waitFor();
  await page.getByRole('checkbox', { name: 'equal lines too' }).check();
  await expect.poll(() => page.locator('.diff tbody tr').count()).toBeGreaterThan(9);
  await page.getByRole('button', { name: 'first arguments' }).click();
  await pageIsGood(page, 'compare');
  await page.reload();
  await page.getByText(/1 of \d+ lines differ/).waitFor();
  await page.goto(`${rig.url}/#/compare/${RUN_ID}/${RUN_ID}`);
  await page.getByText(/\d+ lines, all of them equal/).waitFor();
});
