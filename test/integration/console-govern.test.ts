import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { NewEvent } from '../../contract/index.ts';
import { makeConfigDesk } from '../../daemon/config/desk.ts';
import { requireConfig } from '../../daemon/config.ts';
import { launchBrowser } from '../support/browser.ts';
import { deskParts } from '../support/config-desk.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { DESKTOP, pageIsGood } from '../support/page-is-good.ts';

/** Configuration and rules in a real browser, over the real API. */
const HOSTILE = '<img src=x onerror="document.title=1">';
const folder = mkdtempSync(join(tmpdir(), 'console-govern-'));
const file = join(folder, 'robot.toml');
let rig: Rig;
let browser: Browser;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  const source = '[recorder]\nsync_interval = "300 ms"\n';
  writeFileSync(file, source);
  const env = { AURAISON_DAEMON_NAME: 'robot7' };
  const config = makeConfigDesk(
    { config: requireConfig(source, file, env), file, dataDir: folder },
    deskParts(),
    env,
  );
  rig = await startRig({}, { ...(await governedPorts()), config });
  answerAll(rig);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  page = await browser.newPage({ viewport: DESKTOP });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/content security/i.test(message.text())) problems.push(message.text());
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

it('the configuration comes with sources, is searched, and a text is checked and compared by keyboard', async () => {
  await open('/#/config');
  const rows = page.locator('#config-rows tr');
  await rows.first().waitFor();
  expect(await rows.allInnerTexts()).toMatchObject([
    expect.stringMatching(/daemon\.name\s+"robot7"\s+AURAISON_DAEMON_NAME/),
    expect.stringMatching(/recorder\.sync_interval\s+"300 ms"\s*change\s+line 2/),
  ]);
  await page.getByLabel('without defaults').uncheck();
  await page.locator('#config-filter').fill('port api');
  await expect
    .poll(async () => (await rows.allInnerTexts())[0])
    .toMatch(/^api\.port\s+7601\s*change\s+default/);

  const text = page.locator('#config-text');
  await text.fill(`[recorder]\nsync_interval = '${HOSTILE}'\nsegmentsize = "1 MB"\n`);
  await text.press('Control+Enter');
  await page.getByText('2 faults', { exact: true }).waitFor();
  expect(await page.locator('#config-faults li').nth(0).innerText()).toContain('img src=x');
  expect(await page.locator('#config-faults li').nth(1).innerText()).toContain('did you mean segment_size?');
  await page.getByRole('button', { name: 'line 3' }).click();
  const chosen =
    'document.activeElement.value.slice(document.activeElement.selectionStart, document.activeElement.selectionEnd)';
  expect(await page.evaluate(chosen)).toBe('segmentsize = "1 MB"');

  await text.fill('[recorder]\nsync_interval = "400 ms"\n');
  await page.getByText('of the text before the last change').waitFor();
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByText('Correct; 1 value differs').waitFor();
  const difference = await page.locator('#config-differences tr').innerText();
  expect(difference).toMatch(/recorder\.sync_interval\s+"300 ms"\s+"400 ms"/);
  expect(await page.locator('#page-config').innerText()).toContain('A reload restarts execution, runtime.');
  await page.locator('code', { hasText: 'auraison config check && auraison reload' }).waitFor();
  await pageIsGood(page, 'config');

  await page.route('**/v1/config', (one) => one.fulfill({ status: 503, json: {} }));
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  await page.getByText('not known: ').waitFor();
  expect(await page.evaluate("document.getElementById('config-table').classList.contains('old')")).toBe(true);
});

it('rules come with their text, and decisions with who, why, rule and run, as they happen', async () => {
  rig.runtime.runs = () => [rig.runtime.run(RUN_ID)];
  const decided = (n: number, decision: 'allow' | 'deny', subject: string, reason: string): NewEvent => ({
    kind: 'policy.decided',
    run_id: RUN_ID,
    payload: {
      ...{ hook: 'cedar', point: 'tool', subject, decision, reason, duration_us: n },
      policy_sha256: 'a'.repeat(64),
      determining: decision === 'allow' ? ['built-in#operators'] : [],
      request: { principal: { tenant: 'local', id: 'vera', roles: ['operator'] }, facts: { speed: n } },
    },
  });
  rig.logs.runtime.append(decided(1, 'allow', 'robot.navigate', 'permitted'));
  rig.logs.runtime.append(decided(2, 'deny', 'arm.follow', HOSTILE));
  await open('/#/rules');
  const rows = page.locator('#decisions tr');
  await rows.nth(1).waitFor();
  const [first, second] = await rows.allInnerTexts();
  for (const told of ['denied', 'tool arm.follow', `cedar: ${HOSTILE}`, 'vera (operator)', '{"speed":2}'])
    expect(first).toContain(told);
  expect(second).toContain('built-in#operators');
  // The policies in force are not those that decided.
  expect(second).toContain('in force before');
  expect(await rows.first().getByRole('link').innerText()).toMatch(/^maze\/find_exit/);
  expect(await rows.first().getByRole('link').getAttribute('href')).toBe(`#/runs/${RUN_ID}`);
  const rule = page.locator('#rules li', { hasText: 'built-in#operators' }).first();
  expect(await rule.innerText()).toMatch(/permit built-in#operators\s+line 2, decided 1 of the last/);
  await rule.locator('summary').press('Enter');
  expect(await rule.locator('pre').innerText()).toContain('principal in Auraison::Role::"operator"');
  rig.logs.runtime.append(decided(3, 'deny', 'gate.open', 'the gate is shut'));
  await page.getByText('the gate is shut').waitFor();
  expect(await rows.count()).toBe(3);
  await page.locator('#rules-filter').fill('vera shut');
  await page.getByText('1 of 3 decisions.').waitFor();
  await page.locator('#rules-filter').fill('');
  await page.getByLabel('without what was allowed').check();
  await page.getByText('2 of 3 decisions.').waitFor();
  await pageIsGood(page, 'rules');
  await page.route('**/v1/events?**', (one) => one.fulfill({ status: 503, json: {} }));
  await page.getByText('not known: events: 503; as of').waitFor();
});
