import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type ArmFigure, METHODS, type RouteStatus, type TraceSpan } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { answerAll, executionStatus } from '../support/http-answers.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';

/** Routes, traces and the arm in a real browser, over the real API. SCREENSHOTS=folder keeps pictures of them. */
const HOSTILE = '<img src=x onerror="document.title=1">';
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
let rig: Rig;
let browser: Browser;
let page: Page;
let spans: TraceSpan[] = [];
const problems: string[] = [];

beforeAll(async () => {
  const replay = {
    replay: async () => ({}) as never,
    diff: async () => ({}) as never,
    trace: async () => spans,
  };
  rig = await startRig({}, { replay });
  answerAll(rig);
  rig.answers.set(METHODS.execution.armFigure, async () => undefined);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
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

async function picture(name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (!folder) return;
  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize(DESKTOP);
}

/** No page is wider than the window: what is wide scrolls in a frame of its own. */
async function isNarrow(): Promise<void> {
  await page.setViewportSize(PHONE);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
  await page.setViewportSize(DESKTOP);
}

const route = (name: string, more: Partial<RouteStatus> = {}): RouteStatus => ({
  ...{ name, from: `ros:/${name}/**`, to: `zenoh:fleet/r1/${name}/**`, state: 'up', reason: '', messages: 5 },
  ...{
    bytes: 500,
    messages_per_second: 10,
    age_ms: 90,
    queued: 0,
    queued_bytes: 0,
    dropped: {},
    rebuilds: 0,
    topics: 1,
  },
  ...more,
});

function answerRoutes(routes: RouteStatus[], lost = 0): void {
  const ledger = routes.map(({ name }, i) => {
    const received = 1000 + i;
    const forwarded = i === 1 ? received + 2 : received - 100 - lost;
    return {
      topic: `/${name}/data`,
      hop: `route:${name}`,
      received,
      forwarded,
      written: 0,
      dropped: i === 1 ? {} : { rate_limited: 100, queue_full: lost },
    };
  });
  rig.answers.set(METHODS.execution.status, async () => ({ ...executionStatus, routes, ledger }));
}

/** Counters that go on, for pictures. */
function growing(routes: RouteStatus[]): object {
  const seconds = performance.now() / 1_000;
  const ledger = routes.map(({ name, state, messages_per_second }, i) => {
    const received = Math.round(1_000 + (state === 'up' ? messages_per_second : 0.1) * seconds);
    const rate_limited = Math.round(received / 8);
    const forwarded = received - rate_limited + (i === 1 ? 2 : 0);
    return {
      topic: `/${name}/data`,
      hop: `route:${name}`,
      received,
      forwarded,
      written: 0,
      dropped: { rate_limited },
    };
  });
  const moved = routes.map((one, i) => ({
    ...one,
    bytes: Math.round(one.bytes + (ledger[i]!.forwarded * one.bytes) / 1_000),
  }));
  return { ...executionStatus, routes: moved, ledger };
}

const shownRoutes = (reason: string, bytes: number): RouteStatus[] => [
  route('cameras', { bytes, messages_per_second: 29.9 }),
  route('broken-sum'),
  route('goals', { from: 'zenoh:fleet/r1/goal', to: 'ros:/goal_pose', state: 'silent', reason }),
  route('neighbour', { from: 'zenoh:fleet/r8/**', to: 'bus:/r8/**', state: 'rebuilt', rebuilds: 2 }),
  route('wheel', { state: 'idle', age_ms: 65_000 }),
];

it('routes come with direction, rate, state, losses and the mark of the ledger, trouble first', async () => {
  answerRoutes(shownRoutes(HOSTILE, 9_000_000));
  await open('/#/routes');
  const rows = page.locator('#routes tr');
  await rows.nth(4).waitFor();
  expect(await rows.locator('th').allInnerTexts()).toEqual([
    'goals',
    'broken-sum',
    'neighbour',
    'wheel',
    'cameras',
  ]);
  const silent = await rows.first().innerText();
  for (const told of ['silent', 'Zenoh → ROS', HOSTILE, '10.0 Hz', '90 ms', '✓ balances'])
    expect(silent).toContain(told);
  expect(await rows.nth(1).innerText()).toContain('✗ does not balance');
  expect(await rows.nth(2).innerText()).toContain('rebuilt 2 times');
  expect(await page.locator('#routes-note').innerText()).toContain('3 of 5 routes in trouble');
  expect(await page.locator('#topics tr').count()).toBe(5);
  expect(await page.locator('nav a[aria-current=page]').innerText()).toBe('Routes');
  await isNarrow();
  if (process.env['SCREENSHOTS']) {
    const reason = 'nothing comes from the fleet, which said 12 samples';
    rig.answers.set(METHODS.execution.status, async () => growing(shownRoutes(reason, 9_000_000)));
    await page.getByText(reason).waitFor();
    await page.waitForTimeout(1_500);
    await picture('routes');
  }
});

it('five hundred routes stay live, are narrowed down by keyboard, and keep their rows', async () => {
  const many = Array.from({ length: 500 }, (_, i) =>
    route(`topic-${String(i).padStart(3, '0')}`, i === 499 ? { state: 'down', reason: 'no session' } : {}),
  );
  answerRoutes(many);
  await open('/#/routes');
  const rows = page.locator('#routes tr');
  await rows.nth(499).waitFor();
  expect(await rows.first().innerText()).toContain('topic-499');
  await page.evaluate("document.querySelector('#routes tr:nth-child(7)').id = 'kept'");
  many[0] = route('topic-000', { state: 'silent', reason: 'nothing comes', bytes: 4_000_500 });
  answerRoutes(many);
  // Third before that answer, second by it: a silent route comes before one whose sums do not balance.
  await page.locator('#routes tr:nth-child(2)', { hasText: 'topic-000' }).waitFor();
  // Rows are moved, not made anew.
  expect(await page.locator('#kept').count()).toBe(1);
  await page.locator('#routes-filter').focus();
  await page.keyboard.type('TOPIC-04');
  expect(await rows.count()).toBe(10);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  expect(await page.locator('#routes-empty').innerText()).toBe('No route is like this.');
  await page.locator('#routes-filter').fill('');
  expect(await rows.locator('th').allInnerTexts()).toEqual(['topic-499', 'topic-000', 'topic-001']);
  await page.getByRole('group', { name: 'table of routes' }).focus();
  expect(await page.evaluate('document.activeElement.id')).toBe('routes-table');
});

it('losses are told while they happen', async () => {
  answerRoutes([route('cameras')], 1);
  await open('/#/routes');
  await page.locator('#routes tr').first().waitFor();
  answerRoutes([route('cameras')], 3);
  await page.locator('#routes tr', { hasText: 'losing' }).waitFor();
  expect(await page.locator('#routes tr').innerText()).toContain('rate_limited 100, queue_full 3');
});

it('no routes and no answer are said, and what was known stays with its time', async () => {
  rig.answers.set(METHODS.execution.status, async () => ({ ...executionStatus, routes: [], ledger: [] }));
  await open('/#/routes');
  await page.getByText('No routes: [[routes]] in the configuration').waitFor();
  await page.getByText('Nothing was received yet.').waitFor();
  await picture('routes-empty');
  answerRoutes([route('cameras')]);
  await page.locator('#routes tr').first().waitFor();
  rig.answers.delete(METHODS.execution.status);
  await page.getByText('not known: ').waitFor();
  expect(await page.locator('#routes-note').innerText()).toMatch(/as of \d/);
  expect(await page.locator('#routes tr').count()).toBe(1);
  await picture('routes-error');
  answerRoutes([route('cameras')]);
  await page.getByText('1 route, none in trouble').waitFor();
});

it('the trace of a run is one click from its run', async () => {
  answerAll(rig);
  rig.answers.set(METHODS.execution.armFigure, async () => undefined);
  const span = (
    n: number,
    kind: TraceSpan['kind'],
    name: string,
    parent: number | undefined,
    from: number,
    to?: number,
    error = '',
  ): TraceSpan => ({
    ...{
      name,
      kind,
      trace_id: 't',
      span_id: `s${n}`,
      parent_id: parent === undefined ? undefined : `s${parent}`,
    },
    start_ns: String(1_700_000_000_000_000_000n + BigInt(from) * 1_000_000n),
    end_ns: to === undefined ? undefined : String(1_700_000_000_000_000_000n + BigInt(to) * 1_000_000n),
    ...{ ok: error === '', error, attributes: {} },
  });
  spans = [
    span(0, 'intent', 'intent maze/find_exit', undefined, 0),
    span(1, 'run', 'invoke_agent maze', 0, 12),
    span(2, 'phase', 'explore', 1, 40, 9000),
    span(3, 'model', 'chat qwen', 2, 60, 1900),
    span(4, 'tool', 'execute_tool navigate', 2, 1950, 6000),
    span(5, 'motion', 'motion navigate', 4, 2000, 5950),
    span(6, 'tool', `execute_tool ${HOSTILE}`, 2, 6100, 6200, 'the shelf is not there'),
    span(7, 'approval', 'approval gate.open', 2, 6300, 8800),
  ];
  await open('/');
  await page.locator('#run a').click();
  const rows = page.locator('#run-spans tr');
  await rows.nth(7).waitFor();
  expect(page.url()).toContain(`#/runs/${RUN_ID}`);
  expect(await rows.locator('th').allInnerTexts()).toContain(`execute_tool ${HOSTILE}`);
  expect(await page.locator('#trace-note').innerText()).toBe('8 spans in 9.0 s, 1 failed, 2 running');
  expect(await rows.nth(6).innerText()).toContain('the shelf is not there');
  const [tool, motion] = await Promise.all(
    [4, 5].map((n) => rows.nth(n).locator('rect').last().boundingBox()),
  );
  expect(motion!.x).toBeGreaterThan(tool!.x);
  expect(motion!.width).toBeLessThan(tool!.width);
  expect(await page.evaluate('document.activeElement.id')).toBe('one-title');
  await isNarrow();
  await picture('trace');
  await page.getByRole('link', { name: 'all runs' }).click();
  expect(await page.locator('#runs tr').innerText()).toContain('maze/find_exit');
  await picture('runs');
  await page.goto(`${rig.url}/#/runs/nobody`);
  await page.getByText('not known: ').waitFor();
});

it('the arm is drawn from where its links are, with its gripper, its bars and its limits', async () => {
  let bend = 0;
  const figure = (): ArmFigure => ({
    ...{ motion: 'moving', connected: true, gripper: 'gripper', frame: 'base_link', reason: '' },
    joints: [
      { name: 'joint_1', kind: 'turns', position: Math.PI / 2, lower: -2.967, upper: 2.967 },
      { name: 'joint_2', kind: 'turns', position: -0.733 + bend, lower: -0.733, upper: 1.5708 },
      { name: 'joint_3', kind: 'turns' },
      { name: 'gripper', kind: 'slides', position: 0.035, lower: 0, upper: 0.07 },
    ],
    points: [
      { link: 'base_link', x: 0, y: 0, z: 0 },
      { link: 'link_1', x: 0, y: 0, z: 0.17 },
      { link: 'link_2', x: 0.1 + bend, y: 0.1, z: 0.45 },
      { link: 'tool0', x: 0.35, y: 0.15, z: 0.3 },
    ],
  });
  rig.answers.set(METHODS.execution.armFigure, async () => figure());
  await open('/');
  const side = page.getByRole('img', { name: 'Side view in base_link: tool 0.381 m out, z 0.300 m' });
  await side.waitFor();
  await page.getByRole('img', { name: 'Top view in base_link: tool at x 0.350 m, y 0.150 m' }).waitFor();
  expect(await side.locator('circle').count()).toBe(3);
  expect(await side.locator('.arm-hand').count()).toBe(1);
  const joints = await page.locator('#arm-joints').innerText();
  for (const told of [
    '90.0°',
    '(1.571 rad)',
    'at its lower limit',
    'not reported',
    '35.0 mm',
    '0.0 mm to 70.0 mm',
    '-170.0° to 170.0°',
  ])
    expect(joints).toContain(told);
  const before = await side.locator('.arm-links').getAttribute('points');
  bend = 0.1;
  await page.locator('#arm-joints tr:nth-child(2)', { hasText: '-36.3°' }).waitFor();
  expect(await side.locator('.arm-links').getAttribute('points')).not.toBe(before);
  await isNarrow();
  await picture('arm');
  rig.answers.set(METHODS.execution.armFigure, async () => ({
    ...figure(),
    points: [],
    reason: 'no URDF: gate.urdf is empty',
  }));
  await page.getByText('no URDF').waitFor();
  expect(await page.locator('#arm-views').isVisible()).toBe(false);
});

it('a late answer to the wrong token asks nobody who has given the right one since', async () => {
  let held: (() => void) | undefined;
  let late = Promise.resolve();
  await page.route('**/v1/approvals', async (asked) => {
    const isWrong = asked.request().headers()['authorization'] === 'Bearer not-the-token';
    if (!isWrong) return await asked.continue();
    late = new Promise((resolve) => {
      held = resolve;
    });
    await late;
    await asked.fulfill({ status: 401, json: {} });
  });
  await page.goto(rig.url);
  await page.locator('input[type=password]').fill('not-the-token');
  await page.locator('input[type=password]').press('Enter');
  await page.getByText('This token is wrong.').waitFor();
  await expect.poll(() => held !== undefined).toBe(true);
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
  await page.locator('#run a').waitFor();
  const again = page.waitForResponse(
    (response) => response.url().endsWith('/approvals') && response.status() !== 401,
  );
  held!();
  await again;
  expect(await page.locator('#login').isVisible()).toBe(false);
});
