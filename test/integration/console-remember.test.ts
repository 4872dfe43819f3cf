import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { openBags } from '../../adapters/rosbag/index.ts';
import { IdSource, type LakeQueryRequest, METHODS, type NewEvent } from '../../contract/index.ts';
import { makeRecordings } from '../../daemon/compose/recordings.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { launchBrowser } from '../support/browser.ts';
import { freshDir, until } from '../support/daemon.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';
import { lakeOf, recordScene, SCENE_BAG, SCENE_S, SCENE_START_S } from '../support/recorded-scene.ts';
import type { TopicLake } from '../support/recorded-topics.ts';

/** Recordings in a real browser, over the real API and a real lakehouse. SCREENSHOTS=folder keeps pictures of the pages. */
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const directory = freshDir('remember');
const VIEWER = 'a-token-of-vera';
let scene: Awaited<ReturnType<typeof recordScene>>;
let lake: TopicLake;
let rig: Rig;
let browser: Browser;
let page: Page;
const problems: string[] = [];
let ranges: string[] = [];

beforeAll(async () => {
  scene = await recordScene(directory.path);
  lake = await lakeOf(directory.path, scene.path);
  const clock = new SystemClock();
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const emit = async (events: readonly NewEvent[]) => {
    await lake.lake.project('runtime', await log.append(events));
  };
  const ids = new IdSource(
    () => Date.now(),
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  const who = { principal: 'vera', tenant: 'local', roles: ['viewer'] };
  const auth = { kind: 'token', token: TOKEN, principals: [{ token: VIEWER, who }] } as const;
  rig = await startRig({ auth }, makeRecordings(directory.path, { emit, clock }, ids));
  answerAll(rig);
  rig.answers.set(METHODS.memory.query, async (body) => {
    const { sql, limit, timeoutMs } = body as LakeQueryRequest;
    return await lake.lake.query(sql, { limit: limit ?? 1_000, timeoutMs: timeoutMs ?? 20_000 });
  });
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
  ranges = [];
  page.on('request', (request) => {
    if (request.url().includes('/files/')) ranges.push(request.headers()['range'] ?? 'all');
  });
});
afterEach(async () => {
  await page.close();
  expect(problems).toEqual([]);
});

async function open(address: string, token = TOKEN): Promise<void> {
  await page.goto(rig.url + address);
  await page.locator('input[type=password]').fill(token);
  await page.locator('input[type=password]').press('Enter');
}

async function isGood(name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
    await page.setViewportSize(viewport);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate('scrollTo(0, 0)');
      if (folder) await page.waitForTimeout(400);
      const path = join(folder ?? '', `${name}-${size}-${colorScheme}.png`);
      if (folder) await page.screenshot({ path, fullPage: true });
      if (size === 'phone') continue;
      const faults = await page.evaluate(
        `${AXE}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`,
      );
      expect(faults).toEqual([]);
    }
  }
}

const shownS = async () => {
  const text = await page.locator('.bag-time strong').innerText();
  const [minutes, seconds] = text.includes(':') ? text.split(':') : ['0', text];
  return Number(minutes) * 60 + Number.parseFloat(seconds!);
};
const slider = () => page.getByRole('slider', { name: 'Time of the recording' });
const robotX = async () => {
  const name = await page.getByRole('img', { name: /^map in frame/ }).getAttribute('aria-label');
  return Number(/robot at x (-?[\d.]+)/.exec(name ?? '')?.[1]);
};
/** Where `publishMoment` puts the robot. */
const trueX = (atS: number) => 0.1 - 2 + Math.sin((atS * 10) / 40);

it('a recording is found, opened and scrubbed: map, camera, plot and decisions are of the same time', async () => {
  await open('/#/recordings');
  const row = page.getByRole('row', { name: /room/ });
  await until(async () => (await row.innerText()).includes('20.0 s'), 'the list shows how long it lasts');
  await isGood('recordings');
  await page.getByRole('link', { name: SCENE_BAG }).click();
  await page
    .getByRole('button', { name: /navigate$/ })
    .first()
    .waitFor();
  const story = page.getByRole('list', { name: 'what was decided' });
  expect(await story.innerText()).toContain('the shelf is <b>near</b>');
  expect(await story.innerText()).toContain('denied: tool arm.move');
  expect(await story.innerText()).not.toContain('as usual');
  expect(await story.locator('.row-fault').count()).toBe(3);
  // A decision is a way to its time.
  await page.getByRole('button', { name: /robot stopped$/ }).click();
  await until(async () => (await shownS()) === 14, 'the time is that of the stop');
  await until(async () => Math.abs((await robotX()) - trueX(14)) < 0.06, 'the robot is where it was');
  expect(await story.locator('[aria-current]').innerText()).toContain('bumper pressed');
  // Latched maps count from the start; the newest image is drawn.
  await page.getByLabel('/map map').waitFor();
  await until(
    async () => /160 × 90/.test(await page.locator('.camera figcaption').innerText()),
    'the camera shows its image',
  );
  await page.getByLabel('Field', { exact: true }).fill('/odom.pose.pose.position.y');
  await page.getByLabel('Field', { exact: true }).press('Enter');
  const value = async () => Number(await page.locator('.legend tbody td').first().innerText());
  await until(async () => Math.abs((await value()) - (-1 + 140 / 200)) < 0.01, 'the plot has the value');
  await isGood('recording');
  await slider().focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('PageDown');
  await until(async () => (await shownS()) === 3, 'keys move the time');
  await until(async () => Math.abs((await robotX()) - trueX(3)) < 0.06, 'the map follows');
  await until(async () => Math.abs((await value()) - (-1 + 30 / 200)) < 0.01, 'the plot follows');
  await until(async () => /t=1700000003;f=\/odom/.test(page.url()), 'the address has time and plots');
  await page.reload();
  await until(async () => (await shownS()) === 3, 'a link opens the same time');
  await until(async () => Math.abs((await value()) - (-1 + 30 / 200)) < 0.01, 'and the same plot');
});

it('plays at a rate to its end, by button and by Space, and starts again', async () => {
  await open(`/#/recordings/${SCENE_BAG};t=${SCENE_START_S + 15};r=4;on=map`);
  await page.getByRole('img', { name: /^map in frame map/ }).waitFor();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  await until(async () => (await shownS()) === SCENE_S, 'it plays to the end');
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await until(async () => Math.abs((await robotX()) - trueX(SCENE_S)) < 0.06, 'the map is of the end');
  await page.getByLabel('rate').selectOption('0.5');
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until(async () => (await shownS()) > 0.2 && (await shownS()) < 10, 'it starts again');
  await page.keyboard.press('Space');
});

it('reads ranges of what is shown, and nothing else', async () => {
  await open(`/#/recordings/${SCENE_BAG};t=${SCENE_START_S + 10};on=story`);
  await page
    .getByRole('button', { name: /navigate$/ })
    .first()
    .waitFor();
  await until(async () => (await shownS()) === 10, 'it is open');
  const size = (range: string) => {
    const [from, to] = range.slice('bytes='.length).split('-').map(Number);
    return to! - from! + 1;
  };
  const read = () => ranges.reduce((sum, range) => sum + size(range), 0);
  expect(ranges).not.toContain('all');
  expect(read()).toBeLessThan(scene.bytes / 4);
  await page.getByRole('button', { name: 'cameras' }).click();
  await until(
    async () => /160 × 90/.test(await page.locator('.camera figcaption').innerText()),
    'the camera shows its image',
  );
  expect(read()).toBeLessThan(scene.bytes / 2);
});

it('a note is written, marked and taken back; a part is cut out as a recording of its own', async () => {
  await open(`/#/recordings/${SCENE_BAG};t=${SCENE_START_S + 5}`);
  await page.getByRole('button', { name: 'Part from here' }).click();
  await slider().focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await until(async () => (await shownS()) === 7, 'the time is the end of the part');
  await page.getByRole('button', { name: 'Part to here' }).click();
  await page.getByText('5.00 s to 7.00 s').waitFor();
  await page.getByLabel('Label').fill('odd');
  await page.getByLabel(/^Note/).fill('turns <i>twice</i>');
  await page.getByRole('button', { name: 'Write' }).click();
  const note = page.getByRole('button', { name: /odd: turns <i>twice<\/i>/ });
  await note.waitFor();
  expect(await lake.rows('SELECT bag, label, text, author FROM annotations')).toEqual([
    [SCENE_BAG, 'odd', 'turns <i>twice</i>', 'operator'],
  ]);
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export MCAP' }).click();
  const file = join(directory.path, 'part.mcap');
  const download = await coming;
  expect(download.suggestedFilename()).toBe('room_cut.mcap');
  await download.saveAs(file);
  const part = await openBags([file]);
  try {
    const at = (ns: bigint) => Number(ns / 1_000_000n) / 1_000 - SCENE_START_S;
    expect([at(part.startNs), at(part.endNs)]).toEqual([5, 7]);
    expect(part.topics.map(({ topic }) => topic)).toContain('/map');
    const counts = new Map<string, number>();
    for await (const { channel } of part.records({}))
      counts.set(channel.topic, (counts.get(channel.topic) ?? 0) + 1);
    expect([counts.get('/odom'), counts.get('/map')]).toEqual([21, 1]);
  } finally {
    await part.close();
  }
  await page.getByRole('button', { name: 'remove' }).click();
  await until(async () => (await note.count()) === 0, 'it is taken back');
  expect(await lake.rows('SELECT * FROM annotations')).toEqual([]);
});

it('a viewer is offered what a viewer may do, and sees why not the rest', async () => {
  const why = 'only an operator of this robot does this: you are vera (viewer)';
  await open(`/#/recordings/${SCENE_BAG};on=story`, VIEWER);
  await page.getByText(`Export and notes: ${why}`).waitFor();
  const export_ = page.getByRole('button', { name: 'Export MCAP' });
  expect(await export_.isDisabled()).toBe(true);
  await page.getByLabel('Label').fill('odd');
  expect(await page.getByRole('button', { name: 'Write' }).isDisabled()).toBe(true);
  expect(await page.getByRole('button', { name: 'Play', exact: true }).isEnabled()).toBe(true);
  await page.getByRole('link', { name: 'Drive' }).click();
  await page.getByText(why).waitFor();
  expect(await page.getByRole('button', { name: 'Take the lease' }).isDisabled()).toBe(true);
  await page.getByRole('link', { name: 'Chat' }).click();
  await page.getByText(why).first().waitFor();
  expect(await page.getByRole('button', { name: 'Send' }).isDisabled()).toBe(true);
  // Everybody may stop the robot.
  expect(await page.getByRole('button', { name: 'Emergency stop', exact: true }).isEnabled()).toBe(true);
});

it('says what it cannot show: no such recording, a damaged segment, a robot that does not answer', async () => {
  await open('/#/recordings/none');
  await page.getByText('this robot has no sealed segment of it').waitFor();
  await page.route('**/files/**', (route) => route.abort());
  await page.goto(`${rig.url}/#/recordings/${SCENE_BAG}`);
  await page.getByText(/not read: room_0\.mcap/).waitFor();
  await page
    .getByRole('button', { name: /navigate$/ })
    .first()
    .waitFor();
});
