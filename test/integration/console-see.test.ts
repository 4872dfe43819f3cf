import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import { freshDir, until } from '../support/daemon.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { LiveRobot } from '../support/live-robot.ts';
import {
  publishHealth,
  publishImage,
  publishLine,
  publishMoment,
  publishRoom,
} from '../support/live-scene.ts';

/** Live topics in a real browser: plots, map, cameras, topics. SCREENSHOTS=folder keeps pictures of the pages. */
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
const JOINTS = 'sensor_msgs/msg/JointState';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const directory = freshDir('see');
let rig: Rig;
let robot: LiveRobot;
let browser: Browser;
let page: Page;
const problems: string[] = [];
const timers = new Set<ReturnType<typeof setInterval>>();

beforeAll(async () => {
  rig = await startRig();
  answerAll(rig);
  robot = new LiveRobot(rig, directory.path);
  await robot.start();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  robot?.stop();
  await rig?.stop();
  directory.remove();
});
beforeEach(async () => {
  page = await newPage();
});
afterEach(async () => {
  for (const timer of timers) clearInterval(timer);
  timers.clear();
  await page.close();
  expect(problems).toEqual([]);
});

async function newPage(): Promise<Page> {
  const made = await browser.newPage({ viewport: DESKTOP });
  made.on('pageerror', (error) => problems.push(error.message));
  made.on('console', (message) => {
    if (/content security|trusted/i.test(message.text())) problems.push(message.text());
  });
  return made;
}

function every(ms: number, call: (n: number) => void): void {
  let n = 0;
  timers.add(
    setInterval(() => {
      n += 1;
      call(n);
    }, ms),
  );
}

async function open(address: string, on = page): Promise<void> {
  await on.goto(rig.url + address);
  await on.locator('input[type=password]').fill(TOKEN);
  await on.locator('input[type=password]').press('Enter');
}

/** Wide things scroll in frames of their own; nothing that axe knows keeps a person out, in dark and in light. */
async function isGood(name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    await page.setViewportSize(viewport);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      if (folder) await page.waitForTimeout(400);
      if (folder) await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) });
      if (size === 'phone') continue;
      const faults = await page.evaluate(
        `${AXE}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`,
      );
      expect(faults).toEqual([]);
    }
  }
}

/** Number of colours on a canvas. */
const coloursOf = (selector: string): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('${selector}');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  })()`);

const text = (selector: string) => page.locator(selector).innerText();

describe('plots', () => {
  it('draw twenty signals at 100 Hz, with pause, zoom, cursor, and an address that brings them back', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `joint_${i}`);
    let silent = false;
    every(10, (n) => {
      if (silent) return;
      const position = names.map((_, i) => Math.sin(n / 50 + i / 3) * (1 + i / 10));
      robot.publish('/joint_states', JOINTS, { name: names, position });
    });
    await open('/#/plots');
    const field = page.getByLabel('Field', { exact: true });
    await field.fill('/joint_states.');
    await page.locator('option[value="/joint_states.position[0]"]').waitFor({ state: 'attached' });
    await field.fill('nothing');
    await field.press('Enter');
    await page.getByText('expected a topic and a field').waitFor();
    await field.fill('/joint_states.position[0]');
    await field.press('Enter');
    const rows = page.locator('.legend tbody tr');
    await until(async () => /-?\d\.\d/.test(await rows.first().innerText()), 'a value is shown');
    await page.getByLabel('into').selectOption('a new chart');
    await field.fill('/joint_states.position[1]');
    await field.press('Enter');
    await page.getByRole('button', { name: 'Remove /joint_states.position[0]' }).click();
    await until(() => page.url().endsWith('#/plots/30;/joint_states.position[1]'), 'the address says it');
    // A link to a view: 19 signals in one chart, and one in another.
    const signals = names.map((_, i) => `/joint_states.position[${i}]`);
    await page.goto(`${rig.url}/#/plots/10;${signals.slice(1).join(',')};${signals[0]}`);
    await page.reload();
    await until(async () => (await rows.count()) === 20, 'all signals are back');
    await until(
      async () => (await coloursOf('section[aria-label="Chart 1"] canvas')) > 20,
      'lines are drawn',
    );
    await isGood('plots');
    if (process.env['SCREENSHOTS']) console.info('frames/s', await framesPerSecond());
    await page.getByRole('button', { name: 'Pause' }).click();
    const value = () => rows.first().locator('td').first().innerText();
    const chart = page.getByRole('group', { name: /^Chart 1/ });
    await chart.focus();
    await page.keyboard.press('ArrowLeft');
    await until(
      async () => (await text('section[aria-label="Chart 1"] .legend thead')).includes('at '),
      'the cursor has a time',
    );
    const held = await value();
    const later = robot.published + 100_000;
    await until(() => robot.published > later, 'more came');
    expect(await value()).toBe(held);
    await page.keyboard.press('PageDown');
    await until(async () => (await value()) !== held, 'another time has another value');
    await page.keyboard.press('End');
    await until(
      async () => (await text('section[aria-label="Chart 1"] .legend thead')).includes('newest'),
      'the newest values are shown',
    );
    // A part of the time is chosen with the pointer.
    const box = (await chart.locator('.u-over').boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.8, box.y + 50, { steps: 4 });
    await page.mouse.up();
    expect(await page.getByText('paused', { exact: true }).count()).toBe(1);
    await page.mouse.move(0, 0);
    await page.getByRole('button', { name: 'Live', exact: true }).click();
    silent = true;
    await page
      .getByText(/no message for \d+ s/)
      .first()
      .waitFor();
  });

  async function framesPerSecond(): Promise<number> {
    return await page.evaluate(`new Promise((done) => {
      let n = 0;
      const from = performance.now();
      requestAnimationFrame(function frame() {
        n += 1;
        if (performance.now() - from < 3000) requestAnimationFrame(frame);
        else done(n / 3);
      });
    })`);
  }
});

describe('the map', () => {
  it('shows map, zones, scan, path, goal, footprint and history, follows the robot, and says what is old', async () => {
    publishRoom(robot);
    let silent = false;
    every(50, (n) => {
      if (!silent) publishMoment(robot, n);
    });
    await open('/#/map');
    for (const name of [
      '/map map',
      '/keepout_filter_mask zones',
      '/scan scan',
      '/plan path',
      '/goal_pose goal',
    ])
      await page.getByLabel(name).waitFor();
    await page.getByRole('img', { name: /map in frame map with \d layers, robot at x -?\d/ }).waitFor();
    await until(async () => (await coloursOf('.map-box canvas')) > 12, 'all of it is drawn');
    await isGood('map');
    await page.getByRole('button', { name: 'Follow robot' }).click();
    await page.getByLabel('/plan path').uncheck();
    await until(() => /#\/map\/robot,[\d.]+;-\/plan$/.test(page.url()), 'the address says it');
    await page.reload();
    await page.getByRole('button', { name: 'Follow robot', pressed: true }).waitFor();
    await page.getByLabel('/scan scan').waitFor();
    expect(await page.getByLabel('/plan path').isChecked()).toBe(false);
    await page.getByRole('group', { name: /^Map/ }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('button', { name: 'Follow robot', pressed: false }).waitFor();
    silent = true;
    await page
      .locator('li', { hasText: '/scan' })
      .getByText(/no message for \d+ s/)
      .waitFor();
  });
});

describe('cameras', () => {
  it('show several images, of the choice in the address, and say which are old', async () => {
    const jpeg = await page.evaluate<string>(`(() => {
      const canvas = document.createElement('canvas');
      const context = canvas.getContext('2d');
      context.fillStyle = 'teal';
      context.fillRect(40, 40, 200, 80);
      return canvas.toDataURL('image/png').split(',')[1];
    })()`);
    const data = Buffer.from(jpeg, 'base64');
    let silent = false;
    every(50, (n) => {
      publishImage(robot, '/front/image_raw', n);
      if (silent) return;
      robot.publish('/back/image_raw/compressed', 'sensor_msgs/msg/CompressedImage', { format: 'png', data });
    });
    await open('/#/cameras');
    const front = page.getByRole('img', { name: 'camera /front/image_raw' });
    await front.waitFor();
    await until(
      async () => /\d+ images\/s, 320 × 180/.test(await text('.camera:last-of-type')),
      'it is live',
    );
    await until(async () => (await coloursOf('.camera:last-of-type canvas')) > 50, 'the raw image is drawn');
    await until(async () => (await coloursOf('.camera canvas')) === 2, 'the compressed image is drawn');
    await isGood('cameras');
    silent = true;
    await page
      .locator('.camera', { hasText: '/back' })
      .getByText(/no image for \d+ s/)
      .waitFor();
    await page.getByRole('checkbox', { name: '/back/image_raw/compressed' }).uncheck();
    await until(() => page.url().endsWith('#/cameras//front/image_raw'), 'the address says it');
    await until(() => !robot.followed.has('/back/image_raw/compressed'), 'what is not shown is not sent');
    // Other pages and hidden pages read no images.
    await page.getByRole('link', { name: 'Routes' }).click();
    await until(() => robot.followed.size === 0, 'nothing is sent');
  });
});

describe('topics', () => {
  it('come with rates, a message as a tree, diagnostics and the log; a lost link is said and comes back', async () => {
    every(50, (n) => {
      publishMoment(robot, n);
      publishImage(robot, '/front/image_raw', n);
    });
    every(200, (n) => {
      publishHealth(robot, 'too hot');
      publishLine(robot, n % 2 === 0 ? 20 : 40, n % 2 === 0 ? 'replanned' : 'no way <b>out</b>');
    });
    await open('/#/topics');
    const row = (topic: string) =>
      page.locator('.topics tr', { has: page.getByRole('link', { name: topic, exact: true }) });
    await until(async () => /\d+ Hz/.test(await row('/odom').innerText()), 'the rate is measured');
    expect(await row('/odom').innerText()).toContain('nav_msgs/msg/Odometry');
    expect(await row('/front/image_raw').innerText()).toContain('not measured');
    await page.getByText('motor left: too hot').click();
    await page.getByText('91 °C').waitFor();
    await page.getByText('no way <b>out</b>').first().waitFor();
    await page.getByLabel('at least').selectOption('error');
    expect(await page.locator('.log').innerText()).not.toContain('replanned');
    await page.getByRole('link', { name: '/odom', exact: true }).click();
    await page.locator('.tree a[title="plot /odom.pose.pose.position.x"]').waitFor();
    await isGood('topics');
    robot.goAway();
    await page.getByText('as last seen').waitFor();
    await robot.comeBack();
    await until(async () => (await text('.see-link')) === 'live', 'the link is back');
    await until(async () => /\d+ Hz/.test(await row('/odom').innerText()), 'and measures again');
    await page.locator('.tree a[title="plot /odom.pose.pose.position.x"]').click();
    await until(
      async () => /-?\d\.\d/.test(await page.locator('.legend tbody').innerText()),
      'its plot is a click away',
    );
  });

  it('a frozen page loses images and nothing else; another page notices nothing', async () => {
    every(20, (n) => publishImage(robot, '/front/image_raw', n, 640, 480));
    every(100, (n) => publishMoment(robot, n));
    await open('/#/cameras//front/image_raw');
    await until(async () => /\d+ images\/s, 640/.test(await text('.camera')), 'it is live');
    const other = await newPage();
    await open('/#/topics', other);
    const odom = other.locator('.topics tr', { hasText: '/odom' });
    await until(async () => /\d Hz/.test(await odom.innerText()), 'the other page is live');
    // The page does nothing for longer than the queue of the robot lasts.
    const frozen = page.evaluate(
      '(() => { const from = performance.now(); while (performance.now() - from < 4000); })()',
    );
    const before = robot.published;
    await until(() => robot.published - before > 60_000_000, 'more was sent than the queue holds');
    await until(async () => /\bnow\b/.test(await odom.innerText()), 'the other page is still live');
    await frozen;
    await until(async () => /\d+ images\/s, 640/.test(await text('.camera')), 'it is live again');
    await other.close();
  });
});
