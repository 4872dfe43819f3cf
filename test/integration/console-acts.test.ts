import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type AskPlan, METHODS, type RunMessage, type RunToken } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { steersByHand } from '../support/steers-by-hand.ts';
import { uuid } from '../support/tiny-log.ts';

/** What a person does from the pages, in a real browser, over the real API. SCREENSHOTS=folder keeps images of them. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
const { execution } = METHODS;
const ASK_ID = uuid(70);
const IMAGE = 'b'.repeat(64);
let rig: Rig;
let browser: Browser;
let context: BrowserContext;
let page: Page;
/** The intent that the run shows. */
let shownType = 'robot/chat';
let write: ((token: RunToken) => void) | undefined;
const messages: RunMessage[] = [];
const done: string[] = [];
const problems: string[] = [];

beforeAll(async () => {
  const image = new Uint8Array(
    await sharp({ create: { width: 64, height: 48, channels: 3, background: '#3a7' } })
      .png()
      .toBuffer(),
  );
  const state = () => rig.runtime.run(RUN_ID).run;
  const control = {
    pause: async () => {
      done.push('pause');
      rig.runtime.status_ = 'paused';
      return state();
    },
    resume: async () => {
      done.push('resume');
      rig.runtime.status_ = 'running';
      return state();
    },
    message: async (_id: string, message: RunMessage) => {
      messages.push(message);
      return state();
    },
    session: () => [
      { entry_id: 'e1', kind: 'message', ts: '1700000000000000000', text: 'look around', leaf: true },
    ],
    fork: async (_run: string, entry: string) => {
      done.push(`fork ${entry}`);
      return state();
    },
    tree: (id: string) => [
      rig.runtime.run(id),
      { ...rig.runtime.run(id), run: { ...state(), run_id: uuid(902), parent_run_id: RUN_ID } },
    ],
  };
  const intent = { type: 'maze/find_exit', params: { speed: 'slow' } };
  const ask = {
    plan: async (words: string): Promise<AskPlan> => {
      const known = { ask_id: ASK_ID, words, reason: '' };
      if (words === 'Stop!') return { ...known, kind: 'stopped', confirmed: true, warnings: [] };
      const plan = {
        ...{ ...known, kind: 'intent' as const, app: 'maze', intent, about: 'Drives to the exit.' },
        ...{ model: 'small', expires_ts: '9000000000000000000' },
      };
      if (words !== 'turn') return plan;
      const candidates = [91, 92].map((id) => ({ ...plan, ask_id: uuid(id) }));
      return { ...known, kind: 'unclear', reason: 'the words mean 2 things', candidates };
    },
    confirm: async (id: string) => {
      done.push(`confirm ${id}`);
      const { run, intent: submitted } = rig.runtime.run(RUN_ID);
      return { run, intent: submitted, duplicate: false };
    },
  };
  const tokens = {
    watch: (_id: string, take: (token: RunToken) => void) => {
      write = take;
      return () => {};
    },
  };
  const step = {
    step_id: 's1',
    subgoal: 'maze/find_exit',
    params: {},
    deadline_ms: 1000,
    fallback: 'skip',
    attempt: 1,
  };
  const plans = {
    view: () => ({
      ...{
        run_id: RUN_ID,
        status: 'running',
        goal: 'leave the maze',
        dry_run: false,
        revision: 0,
        replans: 0,
      },
      ...{ reason: '', made: undefined, dropped: [], given_up: [] },
      steps: [{ ...step, state: 'failed', reason: 'the door is locked' }],
    }),
  };
  rig = await startRig(
    {},
    { control: control as never, ask: ask as never, plans: plans as never, tokens, blob: async () => image },
  );
  answerAll(rig);
  rig.answers.set(execution.armFigure, async () => undefined);
  const plain = rig.runtime.run.bind(rig.runtime);
  const attended = (details: ReturnType<typeof plain>) => ({
    ...details,
    intent: { ...details.intent, type: shownType, attended: true, params: { words: 'what do you see?' } },
  });
  rig.runtime.run = (id) => attended(plain(id));
  rig.runtime.runs = () => [attended(plain(RUN_ID))];
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
});
beforeEach(async () => {
  context = await browser.newContext({ viewport: DESKTOP, hasTouch: true });
  page = await context.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (/content security|trusted/i.test(message.text())) problems.push(message.text());
  });
  done.length = 0;
});
afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});

/** Opens a page as a person does who typed `auraison console` before. */
async function open(address: string): Promise<void> {
  const { code } = (await (await rig.post('/v1/console/codes', {})).json()) as { code: string };
  await page.goto(`${rig.url}/#/login/${code}`);
  await page.locator('#pose dd').first().waitFor();
  if (address !== '/') await page.goto(rig.url + address);
}

/** No page is wider than a phone, and none breaks a rule of accessibility, in both modes. */
async function isClean(name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const found = (await page.evaluate(
      `${AXE}; axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`,
    )) as string[];
    expect(found, `${name}, ${colorScheme}`).toEqual([]);
    for (const [size, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      await page.setViewportSize(viewport);
      expect(await page.evaluate('document.documentElement.scrollWidth'), `${name}, ${size}`).toBe(
        viewport.width,
      );
      const folder = process.env['SCREENSHOTS'];
      if (folder) await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`) });
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

it('a link logs in once, for this device, and leaves no code in the address', async () => {
  const { code } = (await (await rig.post('/v1/console/codes', {})).json()) as { code: string };
  await page.goto(`${rig.url}/#/login/${code}`);
  await page.locator('#pose dd').first().waitFor();
  expect(page.url()).toBe(`${rig.url}/#/`);
  await page.reload();
  await page.locator('#pose dd').first().waitFor();
  const tab = await context.newPage();
  await tab.goto(rig.url);
  await tab.locator('#pose dd').first().waitFor();
  await tab.getByRole('button', { name: 'Log out' }).click();
  await tab.getByRole('dialog').waitFor();
  await tab.goto(`${rig.url}/#/login/${code}`);
  await tab.getByText('this link was used already').waitFor();
  await page.getByRole('dialog').waitFor();
  expect(await tab.evaluate('sessionStorage.length + localStorage.length')).toBe(0);
});

it('words become an intent that is shown, and nothing is done before the person agrees', async () => {
  await open('/');
  const field = page.getByRole('textbox', { name: 'What shall the robot do?' });
  await field.fill('find the way out');
  await field.press('Enter');
  const answer = page.locator('#ask-answer');
  await answer.getByText('Drives to the exit.').waitFor();
  expect(await answer.innerText()).toMatch(/maze\/find_exit[\s\S]*speed\s*slow/);
  await isClean('live');
  await page.getByRole('button', { name: 'No', exact: true }).click();
  expect(done).toEqual([]);
  await field.press('Enter');
  await page.getByRole('button', { name: 'Do it' }).click();
  await page.getByRole('link', { name: 'look at it' }).waitFor();
  expect(done).toEqual([`confirm ${ASK_ID}`]);
});

it('of words that mean several things one is done, and words that stop ask nothing', async () => {
  await open('/');
  const field = page.getByRole('textbox', { name: 'What shall the robot do?' });
  await field.fill('turn');
  await field.press('Enter');
  await page.getByText('the words mean 2 things').waitFor();
  await isClean('live');
  expect(done).toEqual([]);
  await page.getByRole('button', { name: 'Do it' }).nth(1).click();
  await page.getByRole('link', { name: 'look at it' }).waitFor();
  expect(done).toEqual([`confirm ${uuid(92)}`]);
  await field.fill('Stop!');
  await field.press('Enter');
  await page.getByText('stopped: the robot, and every run').waitFor();
}, 60_000);

it('a conversation shows words as they come, tools and images as they happen, and takes what is said', async () => {
  await open(`/#/chat/${RUN_ID}`);
  const talk = page.locator('#conversation');
  await talk.getByText('what do you see?').waitFor();
  await expect.poll(() => write !== undefined).toBe(true);
  write!({ kind: 'text', text: 'I see a ' });
  await talk.getByText('I see a').waitFor();
  const call_id = uuid(71);
  rig.logs.runtime.append({
    ...{ kind: 'tool.called', run_id: RUN_ID },
    payload: {
      call_id,
      tool: 'robot.look',
      args: {},
      effect: 'read',
      replay: 'ask',
      deadline_ms: 1000,
    } as never,
  });
  await talk.getByText('running').waitFor();
  const images = [{ mime: 'image/png' as const, sha256: IMAGE, bytes: 9 }];
  rig.logs.runtime.append({
    ...{ kind: 'tool.returned', run_id: RUN_ID },
    payload: {
      call_id,
      tool: 'robot.look',
      ok: true,
      duration_ms: 12,
      images,
      result: { seen: 'a door' },
    } as never,
  });
  const shown = talk.getByRole('img', { name: 'seen by robot.look' });
  await shown.waitFor();
  await expect
    .poll(() => shown.evaluate((image: unknown) => (image as { naturalWidth: number }).naturalWidth))
    .toBe(64);
  write!({ kind: 'text', text: 'door.' });
  await talk.getByText('I see a door.').waitFor();
  rig.logs.runtime.append({
    ...{ kind: 'session.entry', run_id: RUN_ID },
    payload: {
      ...{ session_id: RUN_ID, entry_id: 'e9' },
      entry: {
        type: 'message',
        message: { role: 'assistant', content: [{ type: 'text', text: 'I see a door.' }] },
      },
    },
  });
  rig.logs.runtime.append({
    ...{ kind: 'model.returned', run_id: RUN_ID },
    payload: {
      call_id: uuid(72),
      ok: true,
      tokens_in: 1200,
      tokens_out: 34,
      duration_ms: 9,
      model: 'small',
      cost_usd: 0.5,
    },
  });
  await page.getByText('1,234 tokens of context · $0.50').waitFor();
  // Said once: the words that came piece by piece are the words of the events.
  await expect.poll(() => talk.getByText('I see a door.').count()).toBe(1);
  const field = page.getByRole('textbox', { name: 'Say something' });
  await field.fill('open it');
  await field.press('Enter');
  await expect.poll(() => messages.at(-1)).toEqual({ kind: 'steer', text: 'open it' });
  await field.fill('then come back');
  await page.getByRole('button', { name: 'When it is done' }).click();
  await expect.poll(() => messages.at(-1)).toEqual({ kind: 'follow_up', text: 'then come back' });
  await page.getByRole('button', { name: 'Stop the agent' }).click();
  await expect.poll(() => messages.at(-1)).toEqual({ kind: 'stop' });
  await isClean('chat');
});

it('a run shows its runs and the reason of what was decided, and is paused, resumed, forked and cancelled', async () => {
  rig.logs.runtime.append({
    ...{ kind: 'policy.decided', run_id: RUN_ID },
    payload: {
      hook: 'cedar',
      point: 'tool',
      subject: 'gate.open',
      decision: 'deny',
      reason: 'the gate is closed at night',
      duration_us: 9,
    },
  });
  shownType = 'plan';
  await open(`/#/runs/${RUN_ID}`);
  await page.getByText('the door is locked').waitFor();
  await page.locator('#story').getByText('the gate is closed at night').waitFor();
  expect(await page.locator('.tree .tree a').count()).toBe(1);
  await page.getByRole('button', { name: 'Pause this run' }).click();
  await page.getByRole('button', { name: 'Resume this run' }).click();
  await page.getByRole('button', { name: 'Pause this run' }).waitFor();
  await page.getByText('Continue from an earlier point').click();
  await page.getByRole('button', { name: 'Fork' }).click();
  await expect.poll(() => done).toEqual(['pause', 'resume', 'fork e1']);
  await isClean('run');
  await page.getByRole('button', { name: 'Cancel this run' }).click();
  await expect.poll(() => rig.runtime.status_).toBe('cancelled');
  rig.runtime.status_ = 'running';
  shownType = 'robot/chat';
});

it('the robot is steered while something is held, and by nothing that is released, left or elsewhere', async () => {
  await open('/#/drive');
  await steersByHand(page, rig, () => isClean('drive'));
});

it('Escape twice is the emergency stop, also for a person who types, and beside a page that cannot be loaded', async () => {
  const stops: unknown[] = [];
  rig.answers.set(execution.estopEngage, async (body) => {
    stops.push(body);
    return { engaged: true, since_ns: '1', source: 'console', by: 'operator', reason: '' };
  });
  await open('/#/runs/%');
  await page.route('**/assets/routes-page*', (one) => one.abort());
  await page.getByRole('link', { name: 'Routes' }).click();
  await page.getByText('This cannot be shown').waitFor();
  await page.getByRole('link', { name: 'Live' }).click();
  await page.getByRole('textbox', { name: 'What shall the robot do?' }).focus();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Release emergency stop' }).waitFor();
  expect(stops).toMatchObject([{ source: 'console', by: 'operator', reason: 'Escape twice in the console' }]);
});

it('every other page is clean too, and the token may be typed', async () => {
  await page.goto(`${rig.url}/#/routes`);
  await isClean('login');
  await page.locator('input[type=password]').fill(TOKEN);
  await page.locator('input[type=password]').press('Enter');
  await page.getByText('Nothing was received yet.').or(page.locator('#topics tr').first()).first().waitFor();
  await isClean('routes-plain');
  await page.getByRole('link', { name: 'Runs' }).click();
  await page.locator('#runs tr').first().waitFor();
  await isClean('runs');
  await page.getByRole('link', { name: 'Chat' }).click();
  await page.locator('#chats li').first().waitFor();
  await isClean('chats');
});
