import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EStopState, Submitted } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { finishedRun, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** The live page in a real browser, beside a real run. SCREENSHOT=file.png keeps a picture of it. */
const directory = freshDir('console');
let daemon: TestDaemon;
let browser: Browser;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  daemon = await testDaemon(directory.path, {
    ...{ AURAISON_SIM_SEED: '3', AURAISON_SIM_SPEED: '15' },
    AURAISON_API_HOST_NAMES: 'Robot7.local,robot-7.example',
  });
  browser = await launchBrowser();
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

  it('is found by the names that the configuration gives this robot', async () => {
    const { hostname, port } = new URL(daemon.api.url);
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        const asked = { hostname, port, headers: { host } };
        request(asked, (answer) => resolve(answer.resume().statusCode))
          .on('error', reject)
          .end();
      });
    expect(await status(`robot7.local:${port}`)).toBe(200);
    expect(await status('robot-7.example')).toBe(200);
    expect(await status('robot8.local')).toBe(403);
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

  it('shows what the run did as a waterfall, and that nothing was lost on the way to the recorder', async () => {
    await page.locator('#run a').click();
    await page.locator('#run-spans tr').nth(3).waitFor();
    const names = (await page.locator('#run-spans th').allInnerTexts()).join('\n');
    for (const told of ['intent', 'invoke_agent', 'motion']) expect(names).toContain(told);
    expect(await page.locator('#run-facts').innerText()).toContain('succeeded');
    await picture(page, 'run');
    await page.getByRole('link', { name: 'Routes' }).click();
    const scan = page.locator('#topics tr', { hasText: '/scan' });
    await scan.waitFor();
    expect(await scan.innerText()).toMatch(/recorder/);
    await until(async () => /balances|on the way/.test(await scan.innerText()), 'the ledger has its mark');
    expect(await page.locator('#routes-empty').innerText()).toContain('No routes');
    await page.getByRole('link', { name: 'Live' }).click();
    await page.locator('#map').waitFor();
  });

  it('stops the robot for good, says by whom, and asks before it releases', async () => {
    const state = () => daemon.api.get<EStopState>('/v1/estop');
    // Live topics need no configuration: the first page that wants them starts what serves them.
    await page.getByRole('link', { name: 'Topics' }).click();
    await page.getByRole('link', { name: '/ground_truth/odom' }).waitFor();
    // It was published once, long before.
    await page.getByRole('link', { name: '/tf_static' }).click();
    await page.locator('.tree', { hasText: 'transforms' }).waitFor();
    await page.getByRole('button', { name: 'Emergency stop', exact: true }).click();
    await until(async () => (await state()).engaged, 'it is engaged');
    expect(await state()).toMatchObject({ source: 'console', by: 'operator' });
    const release = page.getByRole('button', { name: 'Release emergency stop' });
    await release.waitFor();
    expect(await page.locator('#estop-note').innerText()).toContain('operator (console)');
    await page.locator('.log', { hasText: 'EMERGENCY STOP by console operator' }).waitFor();
    await page.getByRole('link', { name: 'Live', exact: true }).click();
    page.once('dialog', (dialog) => void dialog.dismiss());
    await release.click();
    expect((await state()).engaged).toBe(true);
    page.once('dialog', (dialog) => void dialog.accept());
    await release.click();
    await until(async () => !(await state()).engaged, 'it is released');
  });

  it('steers the robot while a key is held, and not longer', async () => {
    const turning = async () => {
      const { robot } = await daemon.api.get<{ robot: { twist?: { angular: number } } }>('/v1/status');
      return Math.abs(robot.twist?.angular ?? 0);
    };
    await page.getByRole('link', { name: 'Drive' }).click();
    await page.getByRole('button', { name: 'Take the lease' }).click();
    await page.getByText('ready: nothing is held').waitFor();
    await page.keyboard.down('ArrowLeft');
    await until(async () => (await turning()) > 0.1, 'the robot turns');
    await page.keyboard.up('ArrowLeft');
    await until(async () => (await turning()) < 0.01, 'it stands');
    await page.getByRole('button', { name: 'Give the lease back' }).click();
    await until(
      async () => (await daemon.api.get<{ state: string }>('/v1/lease')).state === 'free',
      'the lease is free',
    );
  });

  it('loads nothing from elsewhere and raises no error in the browser', () => {
    expect(problems.filter((text) => !/401/.test(text))).toEqual([]);
  });
});

describe('the page of an arm', () => {
  it('draws it from where its links are while it moves', async () => {
    const dir = freshDir('console-arm');
    const arm = await testDaemon(dir.path, { AURAISON_SIM_WORLD: 'arm', AURAISON_SIM_CAMERA_RATE: '0' });
    const tab = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    try {
      await tab.goto(arm.api.url);
      await tab.locator('input[type=password]').fill(readFileSync(join(dir.path, 'token'), 'utf8').trim());
      await tab.locator('input[type=password]').press('Enter');
      const links = tab.locator('#arm-side .arm-links');
      await links.waitFor();
      const before = await links.getAttribute('points');
      const joints = tab.locator('#arm-joints');
      expect(await joints.innerText()).toMatch(/joint_1.*-170.0° to 170.0°/s);
      const points = [{ positions: { joint_1: 0.5, joint_2: 0.4 }, time_from_start_ms: 1500 }];
      await arm.api.post('/v1/arm/trajectory', { points });
      await arm.api.post('/v1/arm/gripper', { opening_m: 0, effort_n: 5 });
      const radians = async () => Number(/joint_1.*\((\S+) rad\)/.exec(await joints.innerText())?.[1]);
      await until(
        async () => Math.abs((await radians()) - 0.5) < 0.02,
        'the first joint is shown at its goal',
      );
      await until(
        async () => /gripper\s.*closed/.test(await joints.innerText()),
        'the gripper is shown closed',
      );
      expect(await links.getAttribute('points')).not.toBe(before);
      await tab.locator('#map-panel').waitFor({ state: 'hidden' });
      await picture(tab, 'arm');
    } finally {
      await tab.close();
      await arm.stop();
      dir.remove();
    }
  });
});

/** SCREENSHOTS=folder keeps pictures of the other pages. */
async function picture(tab: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder) await tab.screenshot({ path: join(folder, `console-${name}.png`) });
}

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
