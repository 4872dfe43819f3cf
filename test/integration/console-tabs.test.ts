import type { Browser, BrowserContext, Page, Route } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { METHODS } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { answerAll } from '../support/http-answers.ts';
import { phase, type Rig, startRig } from '../support/http-rig.ts';

/** Many pages of one robot in one browser, which has six connections to it for all of them. */
const TABS = 7;
const { execution } = METHODS;
const STOPPED = { engaged: true, since_ns: '1', source: 'console', by: 'operator', reason: '' };
let rig: Rig;
let browser: Browser;
let context: BrowserContext;
let stops: string[];

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  rig = await startRig({ auth: { kind: 'none' } });
  answerAll(rig);
  stops = [];
  rig.answers.set(execution.estopEngage, async () => {
    stops.push('estop');
    // As a daemon does: what it reports from now on is stopped.
    const status = rig.answers.get(execution.status)!;
    rig.answers.set(execution.status, async (body) => ({
      ...((await status(body)) as object),
      estop: STOPPED,
    }));
    return STOPPED;
  });
  rig.answers.set(execution.robotStop, async () => void stops.push('stop'));
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await rig.stop();
});

async function openTab(): Promise<Page> {
  const page = await context.newPage();
  const events = page.waitForResponse(/\/v1\/events/);
  await page.goto(rig.url, { waitUntil: 'commit' });
  await events;
  await page.locator('#run a').waitFor({ timeout: 30_000 });
  return page;
}

it('every one of seven pages is live, and stops at once', async () => {
  const pages: Page[] = [];
  for (let i = 0; i < TABS; i++) pages.push(await openTab());
  const last = rig.logs.runtime.append(phase(77));
  for (const page of pages) await page.locator('#events li', { hasText: 'phase=p77' }).waitFor();
  expect(last.seq).toBe(1);
  await pages[0]!.getByRole('button', { name: 'Emergency stop', exact: true }).click();
  await pages[0]!.getByText('emergency stop by operator (console)').waitFor();
  await pages[6]!.getByRole('button', { name: 'Stop robot' }).click();
  await pages[6]!.getByText('stopped at').waitFor();
  expect(stops).toEqual(['estop', 'stop']);
});

it('a stop waits for nothing that the pages are still waiting for', async () => {
  const pages: Page[] = [];
  for (let i = 0; i < TABS; i++) pages.push(await openTab());
  let maps = 0;
  rig.answers.set(execution.robotMap, () => {
    maps++;
    return new Promise(() => {});
  });
  // All connections of the browser wait for maps now, and the other questions for a connection.
  await expect.poll(() => maps, { timeout: 10_000 }).toBe(6);
  await pages[3]!.getByRole('button', { name: 'Emergency stop', exact: true }).click();
  await pages[3]!.getByText('emergency stop by operator (console)').waitFor({ timeout: 5_000 });
  expect(stops).toEqual(['estop']);
  answerAll(rig);
  for (const page of pages) await expect.poll(() => page.locator('#link').innerText()).toBe('live');
});

it('a status that was asked for before the emergency stop does not hide it', async () => {
  const page = await openTab();
  const note = page.locator('#estop-note');
  const held: Route[] = [];
  let holds = true;
  await page.route('**/v1/status', (one) => (holds ? void held.push(one) : one.continue()));
  await expect.poll(() => held.length).toBe(1);
  const before = await fetch(`${rig.url}/v1/status`).then((answer) => answer.text());
  await page.getByRole('button', { name: 'Emergency stop', exact: true }).click();
  await page.getByText('emergency stop by operator (console)').waitFor();
  const shown = page.evaluate(`new Promise((resolve) => {
    const note = document.querySelector('#estop-note');
    new MutationObserver(() => resolve(note.textContent)).observe(note, { childList: true, characterData: true, subtree: true });
    setTimeout(resolve, 3_000, note.textContent);
  })`);
  await held[0]!.fulfill({ contentType: 'application/json', body: before });
  holds = false;
  expect(await shown).toContain('emergency stop by operator (console)');
  expect(await note.innerText()).toContain('emergency stop by operator (console)');
});

it('who looks elsewhere asks nothing, and finds all that came meanwhile', async () => {
  const page = await openTab();
  const events = page.locator('#events li');
  rig.logs.runtime.append(phase(1));
  await events.first().waitFor();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await look(page, false);
  asked.length = 0;
  const other = await openTab();
  for (const n of [2, 3]) rig.logs.runtime.append(phase(n));
  await other.locator('#events li', { hasText: 'phase=p3' }).waitFor();
  expect(asked).toEqual([]);
  await look(page, true);
  await expect.poll(() => events.count()).toBe(3);
  const told = await events.allInnerTexts();
  expect(told.map((text) => /phase=(\w+)/.exec(text)![1])).toEqual(['p3', 'p2', 'p1']);
});

it('who looks elsewhere for long finds what is, and not all that was', async () => {
  const page = await openTab();
  const events = page.locator('#events li');
  rig.logs.runtime.append(phase(1));
  await events.first().waitFor();
  await look(page, false);
  for (const n of [2, 3]) rig.logs.runtime.append(phase(n));
  await page.evaluate('{ const now = Date.now; Date.now = () => now() + 61_000; }');
  const held: (() => Promise<void>)[] = [];
  let holds = true;
  await page.route('**/v1/status', (one) => (holds ? void held.push(() => one.continue()) : one.continue()));
  const asked = page.waitForRequest(/\/v1\/events/);
  await look(page, true);
  const [link, pose] = [page.locator('#link'), page.locator('#pose')];
  expect(await link.innerText()).toBe('as last seen; asking the daemon');
  expect(await pose.getAttribute('class')).toContain('old');
  expect((await asked).headers()['last-event-id']).toBeUndefined();
  await (await asked).response();
  rig.logs.runtime.append(phase(4));
  await events.filter({ hasText: 'phase=p4' }).waitFor();
  const told = (await events.allInnerTexts()).map((text) => /phase=(\w+)/.exec(text)?.[1] ?? text);
  expect(told).toEqual(['p4', expect.stringContaining('the page was hidden'), 'p1']);
  holds = false;
  await held[0]!();
  await expect.poll(() => link.innerText()).toBe('live');
  expect(await pose.getAttribute('class')).not.toContain('old');
});

/** What a browser does with a page behind another. */
async function look(page: Page, shown: boolean): Promise<void> {
  await page.evaluate(`(() => {
    Object.defineProperty(document, 'hidden', { get: () => ${!shown}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  })()`);
}
