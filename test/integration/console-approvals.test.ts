import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EdgeError, type PolicyContext, type Question } from '../../contract/index.ts';
import { launchBrowser } from '../support/browser.ts';
import { governedPorts } from '../support/governed-ports.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, RUN_ID, startRig, TOKEN } from '../support/http-rig.ts';
import { uuid } from '../support/tiny-log.ts';

/** The panels in which people answer, in a real browser, over the real API and the real desk of approvals. */
const HOSTILE = '<img src=x onerror="document.title=1"> which way?';
let rig: Rig;
let browser: Browser;
let page: Page;
const problems: string[] = [];
const answered: [string, string, PolicyContext][] = [];
let open: Question[] = [question(1, HOSTILE, []), question(2, 'left or right?', ['left', 'right'])];

function question(n: number, text: string, choices: string[]): Question {
  return {
    ...{ question_id: uuid(n), run_id: RUN_ID, text, choices, fallback: undefined },
    ...{ tenant: 'local', principal: 'ada', asked_ts: '1', expires_ts: '9000000000000000000' },
    ...{ state: 'waiting', answer: undefined, by: undefined },
  };
}

beforeAll(async () => {
  const principals = [
    { token: 'token-of-vera', who: { principal: 'vera', tenant: 'local', roles: ['viewer'] } },
  ];
  const questions = {
    questions: () => open,
    answerQuestion: async (id: string, answer: string, who: PolicyContext) => {
      const found = open.find(({ question_id }) => question_id === id);
      if (!found) throw new EdgeError('question.not_found', { operation: 'answer', subject: id });
      answered.push([id, answer, who]);
      open = open.filter((one) => one !== found);
      return { ...found, state: 'answered' as const, answer };
    },
  };
  const ports = await governedPorts();
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals } }, { ...ports, questions });
  answerAll(rig);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await rig?.stop();
});

async function logIn(token: string): Promise<void> {
  page = await browser.newPage();
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(rig.url);
  await page.locator('input[type=password]').fill(token);
  await page.locator('input[type=password]').press('Enter');
  await page.locator('#approvals-panel').waitFor({ state: 'visible', timeout: 60_000 });
}

it('who may not answer is told so, and the question stays', async () => {
  await logIn('token-of-vera');
  const panel = page.locator('#approvals-panel');
  expect(await panel.innerText()).toContain('gate.open');
  await page.getByRole('button', { name: 'Allow tool gate.open' }).click();
  await page.getByText('not taken:').waitFor({ timeout: 60_000 });
  expect(await panel.locator('li').count()).toBe(1);
  await page.close();
});

it('an operator agrees, the panel goes, and the log has their word', async () => {
  await logIn(TOKEN);
  await page.getByRole('button', { name: 'Allow tool gate.open' }).click();
  await page.locator('#approvals-panel').waitFor({ state: 'hidden', timeout: 60_000 });
  const { approvals } = (await (await rig.get('/v1/approvals?all=true')).json()) as { approvals: unknown[] };
  expect(approvals).toMatchObject([{ state: 'allowed', by: 'operator' }]);
});

it('questions of runs are answered beside them, as text that is nothing but text', async () => {
  const panel = page.locator('#questions-panel');
  await panel.waitFor({ state: 'visible', timeout: 60_000 });
  expect(await panel.innerText()).toContain(HOSTILE);
  await panel.getByRole('textbox').fill('straight on');
  await panel.getByRole('textbox').press('Enter');
  await panel.getByRole('button', { name: 'right' }).click();
  await panel.waitFor({ state: 'hidden', timeout: 60_000 });
  expect(answered.map(([id, answer, who]) => [id, answer, who.principal])).toEqual([
    [uuid(1), 'straight on', 'operator'],
    [uuid(2), 'right', 'operator'],
  ]);
  expect(problems).toEqual([]);
});
