import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EStopState, Submitted } from '../../contract/index.ts';
import { finishedRun, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** The live page in a real browser, beside a real run. SCREENSHOT=file.png keeps a picture of it. */
const directory = freshDir('console');
let daemon: TestDaemon;
let browser: Browser;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  daemon = await testDaemon(directory.path, { AURAISON_SIM_SEED: '3', AURAISON_SIM_SPEED: '15' });
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
    existsSync,
  )!;
  browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
});

afterAll(async () => {
  await browser?.close();
  await daemon?.stop();
  directory.remove();
});

describe('the live page', () => {
  it('asks for the token and says when it is wrong', async () => {
    await page.goto(daemon.api.url);
    const field = page.locator('input[type=password]');
    await field.fill('not-the-token');
    await field.press('Enter');
    await until(
      async () => /token/i.test(await page.locator('body').innerText()),
      'the page speaks of the token',
    );
    await page
      .locator('input[type=password]')
      .fill(readFileSync(join(directory.path, 'token'), 'utf8').trim());
    await page.locator('input[type=password]').press('Enter');
    await until(
      async () => (await page.locator('body').innerText()).includes('execution'),
      'the page shows the cells',
    );
  });

  it('shows phase, cells, counts and a drawn map while the robot drives', async () => {
    const sent = await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    await until(
      async () => /navigate|explore|plan/.test(await page.locator('body').innerText()),
      'the page shows the phase',
    );
    await until(async () => (await colours(page)) > 2, 'the canvas shows more than one ground');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    if (process.env['SCREENSHOT']) await page.screenshot({ path: process.env['SCREENSHOT'] });
    const text = await page.locator('body').innerText();
    for (const cell of ['execution', 'runtime', 'memory', 'link']) expect(text).toContain(cell);
    const details = await finishedRun(daemon.api, sent.run.run_id, 240_000);
    expect(details.run.status).toBe('succeeded');
    await until(
      async () => (await page.locator('body').innerText()).includes('succeeded'),
      'the page shows the end of the run',
    );
  });

  it('stops the robot for good, says by whom, and asks before it releases', async () => {
    const state = () => daemon.api.get<EStopState>('/v1/estop');
    await page.getByRole('button', { name: 'Emergency stop', exact: true }).click();
    await until(async () => (await state()).engaged, 'it is engaged');
    expect(await state()).toMatchObject({ source: 'console', by: 'operator' });
    const release = page.getByRole('button', { name: 'Release emergency stop' });
    await release.waitFor();
    expect(await page.locator('#estop-note').innerText()).toContain('operator (console)');
    page.once('dialog', (dialog) => void dialog.dismiss());
    await release.click();
    expect((await state()).engaged).toBe(true);
    page.once('dialog', (dialog) => void dialog.accept());
    await release.click();
    await until(async () => !(await state()).engaged, 'it is released');
  });

  it('loads nothing from elsewhere and raises no error in the browser', () => {
    expect(problems.filter((text) => !/401/.test(text))).toEqual([]);
  });
});

/** How many different colours the map's canvas has. */
function colours(page_: Page): Promise<number> {
  return page_.evaluate(`(() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || canvas.width === 0) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return seen.size;
  })()`);
}
