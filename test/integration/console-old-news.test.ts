import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type ArmFigure, METHODS } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { answerAll, executionStatus } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** What the pages show while answers fail, hang or come late: what was known, and that it is of before. */
let rig: Rig;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  rig = await startRig();
  answerAll(rig);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
});
beforeEach(async () => {
  page = await browser.newPage();
});
afterEach(() => page.close());

async function open(address: string): Promise<void> {
  await page.goto(rig.url + address);
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
}
const isOld = (id: string) => page.evaluate(`document.getElementById('${id}').classList.contains('old')`);

it('an arm of which nothing is heard stays where it was, told to be of before', async () => {
  const figure: ArmFigure = {
    ...{ motion: 'idle', connected: true, frame: 'base_link', reason: 'no URDF: gate.urdf is empty' },
    joints: [{ name: 'joint_1', kind: 'turns', position: 1 }],
    points: [],
  };
  rig.answers.set(METHODS.execution.armFigure, async () => figure);
  await open('/');
  const note = page.locator('#arm-note');
  const news = () => expect.poll(() => isOld('arm-panel')).toBe(false);
  await page.getByText('no URDF').waitFor();
  const ways: [string, Parameters<Page['route']>[1]][] = [
    ['as last seen: the daemon answers 503', (one) => one.fulfill({ status: 503, json: {} })],
    ['as last seen: ', (one) => one.abort()],
    ['as last seen: no answer within 2 s', () => {}],
  ];
  for (const [words, way] of ways) {
    await news();
    await page.route('**/v1/arm/figure', way);
    await expect.poll(() => note.innerText(), { timeout: 5_000 }).toContain(words);
    expect([await isOld('arm-panel'), await page.locator('#arm-panel').isVisible()]).toEqual([true, true]);
    await page.unroute('**/v1/arm/figure');
  }
  await news();
  rig.answers.set(METHODS.execution.armFigure, async () => undefined);
  await expect.poll(() => page.locator('#arm-panel').isVisible()).toBe(false);
});

it('routes that are of before stay marked for who goes away and comes back, until there is news', async () => {
  rig.answers.set(METHODS.execution.status, async () => ({ ...executionStatus, routes: [], ledger: [] }));
  await open('/#/routes');
  await page.getByText('No routes: ').waitFor();
  await page.route('**/v1/routes', (one) => one.abort());
  await expect.poll(() => isOld('routes-all')).toBe(true);
  await page.unroute('**/v1/routes');
  const held: (() => Promise<void>)[] = [];
  let holds = true;
  await page.route('**/v1/routes', (one) => (holds ? void held.push(() => one.continue()) : one.continue()));
  await expect.poll(() => held.length).toBe(1);
  await page.goto(`${rig.url}/#/`);
  await page.goto(`${rig.url}/#/routes`);
  await page.waitForTimeout(300);
  expect(await isOld('routes-all')).toBe(true);
  holds = false;
  // The look of the page that was left was cancelled with it.
  await Promise.allSettled(held.map((go) => go()));
  await expect.poll(() => isOld('routes-all')).toBe(false);
});

it('the late trace of one run is not taken for that of the next', async () => {
  const [first, second] = ['one', 'two'];
  let late: (() => Promise<void>) | undefined;
  const details = (run_id: string) => ({
    run: { run_id, status: 'succeeded', harness: 'pi', attempt: 1 },
    ...{ app: 'talk', phase: '', queued_ts: '1700000000000000000', reason: '' },
  });
  for (const id of [first, second])
    await page.route(`**/v1/runs/${id}`, (one) => one.fulfill({ json: details(id) }));
  await page.route(`**/v1/runs/${first}/trace`, (one) => {
    late = () => one.fulfill({ status: 503, json: { message: 'too late' } });
  });
  await page.route(`**/v1/runs/${second}/trace`, (one) => one.fulfill({ json: { spans: [] } }));
  await open(`/#/runs/${first}`);
  await expect.poll(() => late !== undefined).toBe(true);
  await page.goto(`${rig.url}/#/runs/${second}`);
  await page.getByText('two', { exact: true }).waitFor();
  await late!();
  await expect.poll(() => page.locator('#trace-note').innerText(), { timeout: 5_000 }).toBe('No spans yet.');
});
