import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { CellBus } from '../../contract/index.ts';
import { makeConfigDesk } from '../../daemon/config/desk.ts';
import { requireConfig } from '../../daemon/config.ts';
import { Reloader } from '../../daemon/supervisor/reloader.ts';
import { launchBrowser } from '../support/browser.ts';
import { deskParts } from '../support/config-desk.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { DESKTOP, pageIsGood } from '../support/page-is-good.ts';

/** A configuration changed from the console in a real browser, over the real API, with the real reloader. */
const folder = mkdtempSync(join(tmpdir(), 'console-take-'));
const file = join(folder, 'robot.toml');
const SOURCE = '[api]\ntake_config = true\n\n[recorder]\nsync_interval = "300 ms" # as the disk likes it\n';
let rig: Rig;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  mkdirSync(join(folder, 'run'));
  writeFileSync(file, SOURCE);
  const read = () => ({ config: requireConfig(readFileSync(file, 'utf8'), file, {}), dataDir: folder, file });
  const heard: ((body: unknown) => void)[] = [];
  const reloader = new Reloader({
    ...{ clock: new SystemClock(), settings: { current: read() }, read, report: () => {} },
    notify: { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} },
    supervisor: {
      tell: (_, body) => {
        for (const hear of heard) hear(body);
      },
      renew: async () => [],
      summary: () => '',
    },
  });
  const bus = { onBroadcast: (_: string, hear: (body: unknown) => void) => void heard.push(hear) };
  const config = makeConfigDesk(
    read(),
    deskParts(bus as unknown as CellBus, { reload: () => void reloader.reload() }),
    {},
  );
  rig = await startRig({}, { ...(await governedPorts()), config });
  answerAll(rig);
  browser = await launchBrowser();
  page = await browser.newPage({ viewport: DESKTOP });
  await page.goto(`${rig.url}/#/config`);
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const row = () => page.locator('#config-rows tr', { hasText: 'recorder.sync_interval' });
const change = async (value: string) => {
  await page.getByRole('button', { name: 'change recorder.sync_interval' }).click();
  const field = page.getByLabel('recorder.sync_interval', { exact: true });
  await field.fill(value);
  await field.press('Enter');
};

it('a value is changed, checked and taken; kept it stays, without an answer or put back it is the former one', async () => {
  await row().waitFor();
  await change('500 ms');
  await page.getByText('(500 ms is no value of TOML)').waitFor();
  const field = page.getByLabel('recorder.sync_interval', { exact: true });
  expect(await field.inputValue()).toBe('500 ms');
  await field.fill('"500 ms"');
  await field.press('Enter');
  await page.getByText('Correct; 1 value differs').waitFor();
  expect(await page.locator('#config-changes-differences tr').innerText()).toMatch(/"300 ms"\s+"500 ms"/);
  await pageIsGood(page, 'config-changes');
  await page.getByRole('button', { name: 'Take it' }).click();

  await page.getByText(/On trial, taken by .*: recorder\.sync_interval/).waitFor();
  expect(readFileSync(file, 'utf8')).toBe(SOURCE.replace('300', '500'));
  await expect.poll(async () => await row().innerText()).toMatch(/"500 ms"\s*change\s+line 5/);
  await expect.poll(async () => await page.locator('#config-trial').innerText()).toMatch(/back in 5\d s/);
  await pageIsGood(page, 'config-trial');
  await page.getByRole('button', { name: 'Keep it' }).click();
  await page.getByText(/Kept: recorder\.sync_interval/).waitFor();

  await change('"700 ms"');
  await page.getByText('Correct; 1 value differs').waitFor();
  await page.getByRole('button', { name: 'Take it' }).click();
  await page.getByRole('button', { name: 'Put the former one back' }).click();
  await page.getByText(/Put back: recorder\.sync_interval/).waitFor();
  await expect.poll(() => readFileSync(file, 'utf8')).toBe(SOURCE.replace('300', '500'));
  await expect.poll(async () => await row().innerText()).toContain('"500 ms"');
});
