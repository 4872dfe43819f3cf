/**
 * The pages of one robot. They only read the API of the server they came from, write text with `textContent`
 * (never markup), and keep the token in this tab's session storage. This file: the live page, and what is on all.
 */
import { call, callFirst, forever, read, refusalOf } from './api.js';
import { ageArm, showArm } from './arm-view.js';
import { letGo, shareConnections } from './connections.js';
import { at, count, element, fill, link, number } from './elements.js';
import { drawMap } from './map-view.js';
import { addPage, shown, startPages } from './pages.js';
import { routesPage } from './routes-page.js';
import { runsPage } from './runs-page.js';

const STATUS_MS = 1000;
const EVENTS_MS = 1000;
const MAP_MS = 2000;
const ARM_MS = 250;
/** Drawn where it was, an arm looks as if it stood there. */
const ARM_ANSWER_MS = 2000;
const EVENTS_SHOWN = 80;
const APPROVALS_MS = 2000;
/** After a longer absence only the present state is shown: the robot does not send the events of hours. */
const AWAY_MS = 60_000;
/** What the status shows. */
const STATUS_PARTS = ['run', 'pose', 'data', 'cells', 'estop-note'];

let pose;
let hasArm = false;
let cursor;

const missing = (part) => [['not available', part.reason ?? '', 'bad']];

function showStatus(status) {
  at('robot').textContent = status.robot_id;
  document.title = `${status.robot_id} – Auraison Edge`;
  fill(at('run'), status.runs.available ? runRows(status.runs) : missing(status.runs));
  fill(at('pose'), status.robot.available ? robotRows(status.robot) : missing(status.robot));
  fill(at('data'), status.recorder.available ? recorderRows(status.recorder) : missing(status.recorder));
  at('cells').replaceChildren(...status.cells.map((cell) => cellRow(cell, status.log_seq)));
  at('models-panel').hidden = !status.models;
  fill(at('models'), (status.models ?? []).map(modelRow));
  pose = status.robot.available ? status.robot.pose : undefined;
  if (status.robot.available) showStop(status.robot.estop);
}

/** The status knows runs until they are over; how the last one ended is asked for once. */
let lastRun;
function runRows(part) {
  const [run] = [...(part.runs ?? [])].sort((a, b) => (a.run_id < b.run_id ? 1 : -1));
  if (run) {
    const reason = part.load?.paused?.find(({ run_id }) => run_id === run.run_id)?.reason;
    lastRun = { run, phase: part.phases?.[run.run_id], reason, asked: false };
    return rowsOf(lastRun);
  }
  if (!lastRun)
    return [
      ['run', 'none running'],
      ['before', link('all runs', '#/runs')],
    ];
  if (!lastRun.asked) void askEnd(lastRun);
  return rowsOf(lastRun);
}

async function askEnd(seen) {
  seen.asked = true;
  const ended = await read(`/v1/runs/${seen.run.run_id}`).catch(() => undefined);
  if (ended) Object.assign(seen, { run: ended.run, phase: ended.phase });
  else seen.asked = false;
}

function rowsOf({ run, phase, reason }) {
  return [
    ['run', link(run.run_id, `#/runs/${run.run_id}`)],
    ['status', run.status, run.status === 'failed' ? 'bad' : ''],
    ...(reason ? [['paused', link(`${reason}: look and resume`, `#/runs/${run.run_id}`)]] : []),
    ['phase', phase ?? '–'],
    ['attempt', String(run.attempt)],
  ];
}

function robotRows(robot) {
  const here = robot.pose;
  const arm = robot.arm ? [armRow(robot.arm)] : [];
  // An arm on a table has no base that could be missed.
  if (robot.arm && !here && !robot.connected) return [...arm, ['base', 'none heard']];
  return [
    ['connected', robot.connected ? 'yes' : 'no', robot.connected ? 'ok' : 'bad'],
    ...arm,
    ['pose', here ? `${number(here.x, 2)} m, ${number(here.y, 2)} m, ${number(here.yaw, 2)} rad` : 'unknown'],
    ['motion', robot.motion ?? '–'],
    ['speed', robot.twist ? `${number(robot.twist.linear, 2)} m/s` : '–'],
    ['driven', `${number(robot.distance, 1)} m`],
    ['bumps', count(robot.bumps), robot.bumps > 0 ? 'bad' : ''],
    ['map known', typeof robot.map_coverage === 'number' ? `${number(robot.map_coverage * 100, 0)} %` : '–'],
  ];
}

const armRow = ({ connected, motion }) =>
  connected ? ['arm', motion, 'ok'] : ['arm', 'not connected', 'bad'];

function recorderRows(part) {
  return [
    ['state', part.state + (part.reason ? `: ${part.reason}` : ''), part.state === 'failed' ? 'bad' : ''],
    ['received', count(part.received)],
    ['written', count(part.written)],
    ['dropped', count(part.dropped), part.dropped > 0 ? 'bad' : 'ok'],
    ['rate', `${number(part.messages_per_second, 0)} messages/s`],
    ['segments', count(part.segments?.length)],
  ];
}

/** What is known of a model: a failing one is still asked, one that is down is asked last. */
function modelRow({ name, state, reason }) {
  const look = { up: 'ok', down: 'bad', failing: 'bad' }[state] ?? '';
  return [name, reason ? `${state}: ${reason}` : state, look];
}

function cellRow(cell, seqs) {
  const row = document.createElement('tr');
  const up = cell.state === 'up';
  row.append(
    element('td', cell.name),
    element('td', up || !cell.reason ? cell.state : `${cell.state}: ${cell.reason}`, up ? 'ok' : 'bad'),
    element('td', count(cell.restarts)),
    element('td', count(seqs?.[cell.name])),
  );
  return row;
}

function showEvent(event) {
  const time = new Date(Number(BigInt(event.ts) / 1000000n)).toLocaleTimeString();
  const item = element('li', `${time}  ${event.cell}  ${event.kind}  ${shortFacts(event.payload)}`);
  item.title = JSON.stringify(event.payload, null, 1);
  at('events').prepend(item);
  while (at('events').childElementCount > EVENTS_SHOWN) at('events').lastElementChild.remove();
}

/**
 * Asks for what is new, up to now: a stream would hold a connection of the browser. Continues from the last event.
 */
async function lookAtEvents() {
  const response = await call('/v1/events?follow=false&since=now', {
    headers: () => ({ accept: 'text/event-stream', ...(cursor ? { 'last-event-id': cursor } : {}) }),
  });
  if (response.status === 400) cursor = undefined;
  if (!response.ok) throw new Error(`events: ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const messages = (rest + value).split('\n\n');
    rest = messages.pop();
    for (const message of messages) take(message);
  }
}

function take(message) {
  const field = (name) =>
    message
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const [id, data] = [field('id'), field('data')];
  if (id === undefined || data === undefined) return;
  if (field('event') === undefined) showEvent(JSON.parse(data));
  cursor = id;
}

async function showMap() {
  const response = await call('/v1/robot/map');
  const map = response.status === 200 ? await response.json() : undefined;
  const drawn = map !== undefined && drawMap(at('map'), map, pose);
  at('map-note').textContent = drawn
    ? `${map.width} × ${map.height} cells of ${map.resolution} m`
    : 'no map yet';
  at('map').classList.remove('old');
  at('map-panel').hidden = hasArm && !drawn;
}

/** As fast as it is pleasant to look at, while it is looked at. A robot without an arm is seldom asked again. */
let armLooks = 0;
async function lookAtArm() {
  if (shown().name !== 'live' || (!hasArm && armLooks++ % 40 !== 0)) return;
  try {
    const response = await call('/v1/arm/figure', { answerMs: ARM_ANSWER_MS });
    // Only an answer shows that there is no arm.
    if (response.status === 204) {
      hasArm = false;
      at('arm-panel').hidden = true;
      return;
    }
    if (response.status !== 200) throw new Error(`the daemon answers ${response.status}`);
    showArm(await response.json());
    hasArm = true;
  } catch (error) {
    if (hasArm) ageArm(error.message);
  }
}

/** What waits for the word of a person. Kept as it is while nothing changed: a button must not move under a finger. */
let shownApprovals = '';
async function showApprovals() {
  const response = await call('/v1/approvals');
  if (!response.ok) return;
  const { approvals } = await response.json();
  const now = JSON.stringify(approvals);
  if (now === shownApprovals) return;
  shownApprovals = now;
  at('approvals-panel').hidden = approvals.length === 0;
  at('approvals').replaceChildren(...approvals.map(approvalItem));
}

/** Questions of runs. An item stays while its question does: no half-written answer is lost. */
const shownQuestions = new Map();
async function showQuestions() {
  const response = await call('/v1/questions');
  if (!response.ok) return;
  const { questions } = await response.json();
  const ids = new Set(questions.map((question) => question.question_id));
  for (const [id, item] of shownQuestions) {
    if (ids.has(id)) continue;
    item.remove();
    shownQuestions.delete(id);
  }
  for (const question of questions) {
    if (shownQuestions.has(question.question_id)) continue;
    const item = questionItem(question);
    shownQuestions.set(question.question_id, item);
    at('questions').append(item);
  }
  at('questions-panel').hidden = questions.length === 0;
}

function questionItem({ question_id: id, text, choices, fallback, expires_ts }) {
  const until = new Date(Number(BigInt(expires_ts) / 1000000n)).toLocaleTimeString();
  const item = document.createElement('li');
  const otherwise = fallback === undefined ? '' : `; otherwise ${fallback}`;
  item.append(element('strong', text), element('p', `until ${until}${otherwise}`));
  const form = document.createElement('form');
  for (const choice of choices) {
    const button = element('button', choice, 'allow');
    button.type = 'button';
    button.addEventListener('click', () => void answerQuestion(id, choice));
    form.append(button);
  }
  if (choices.length === 0) {
    const field = document.createElement('input');
    field.maxLength = 2048;
    field.required = true;
    field.setAttribute('aria-label', text);
    form.append(field, element('button', 'Answer', 'allow'));
    form.addEventListener('submit', () => void answerQuestion(id, field.value));
  }
  form.addEventListener('submit', (event) => event.preventDefault());
  item.append(form);
  return item;
}

async function answerQuestion(id, answer) {
  const said = await refusalOf(`/v1/questions/${id}/answer`, { answer });
  at('questions-note').textContent = said === '' ? '' : `not taken: ${said}`;
  await showQuestions().catch(() => {});
}

function approvalItem(approval) {
  const item = document.createElement('li');
  const until = new Date(Number(BigInt(approval.expires_ts) / 1000000n)).toLocaleTimeString();
  item.append(
    element('strong', `${approval.point} ${approval.subject}`),
    element('p', approval.reason),
    element('code', JSON.stringify(approval.facts)),
    element(
      'p',
      `for ${approval.principal}, until ${until}${approval.roles.length ? `; ${approval.roles.join(' or ')} may answer` : ''}`,
    ),
    answerButton(approval, 'allow', 'Allow'),
    answerButton(approval, 'deny', 'Deny'),
  );
  return item;
}

function answerButton(approval, decision, label) {
  const button = element('button', label, decision);
  button.type = 'button';
  button.setAttribute('aria-label', `${label} ${approval.point} ${approval.subject}`);
  button.addEventListener('click', async () => {
    const path = `/v1/approvals/${approval.approval_id}/answer`;
    const said = await refusalOf(path, { decision, reason: 'answered in the console' });
    at('approvals-note').textContent = said === '' ? '' : `not taken: ${said}`;
    shownApprovals = '';
    await showApprovals().catch(() => {});
    if (said !== '') at('approvals-panel').hidden = false;
  });
  return button;
}

at('stop').addEventListener('click', async () => {
  const note = at('stop-note');
  note.textContent = 'stopping';
  note.className = '';
  const response = await callFirst('/v1/robot/stop').catch(() => undefined);
  const answer = await response?.json().catch(() => undefined);
  const time = new Date().toLocaleTimeString();
  const stands = response?.ok && answer?.result?.confirmed !== false;
  // Stays until the next press: the person who pressed must not miss that nothing stopped.
  note.textContent = stands
    ? `stopped at ${time}`
    : response?.ok
      ? `stop given at ${time}, NOT CONFIRMED that the robot stands: look at it`
      : `NOT STOPPED at ${time}: use the emergency stop`;
  note.className = stands ? 'ok' : 'bad';
});

const CONSOLE = { 'content-type': 'application/json', 'x-auraison-origin': 'console' };
let engaged = false;
/** The newest press that is shown: a release from here answers it, and no newer one. */
let shownPress;

/** Engaged and released by the same button, which says what it would do; a release asks once more. */
at('estop').addEventListener('click', async () => {
  if (engaged) letGo();
  if (engaged && !confirm('Release the emergency stop? Nothing starts to move by it.')) return;
  const path = engaged ? '/v1/estop/release' : '/v1/estop';
  const press = engaged ? { press: shownPress } : {};
  const body = JSON.stringify({ reason: 'button of the console', ...press });
  const response = await callFirst(path, { headers: CONSOLE, body }).catch(() => undefined);
  const answer = await response?.json().catch(() => undefined);
  if (response?.ok) return showStop(answer);
  const said = answer?.message ?? 'the daemon does not answer: use the button of the robot itself';
  at('estop-note').textContent = said;
  at('estop-note').className = 'bad';
});

function showStop(state) {
  if (!state) return;
  engaged = state.engaged;
  shownPress = state.press;
  at('estop').textContent = engaged ? 'Release emergency stop' : 'Emergency stop';
  at('estop').classList.toggle('engaged', engaged);
  const words = `emergency stop by ${state.by} (${state.source})${state.reason === '' ? '' : `: ${state.reason}`}`;
  at('estop-note').textContent = engaged ? words : '';
  at('estop-note').className = engaged ? 'bad' : '';
}

let leftMs;
/** What is drawn is of when somebody last looked, until there is an answer. */
function turnAway() {
  for (const id of [...STATUS_PARTS, 'map']) at(id).classList.add('old');
  at('link').textContent = 'as last seen; asking the daemon';
  at('link').className = '';
  if (document.hidden) leftMs = Date.now();
  else if (cursor !== undefined && Date.now() - leftMs > AWAY_MS) {
    cursor = undefined;
    const from = new Date(leftMs).toLocaleTimeString();
    const gap = `… from ${from} to ${new Date().toLocaleTimeString()} the page was hidden: auraison events`;
    at('events').prepend(element('li', gap));
  }
}

// Before anything is asked again.
document.addEventListener('visibilitychange', turnAway);
shareConnections();
addPage('live');
routesPage();
runsPage();
startPages();
void forever(
  async () => showStatus(await read('/v1/status')),
  STATUS_MS,
  (error) => {
    at('link').textContent = error ? 'the daemon does not answer; trying again' : 'live';
    at('link').className = error ? 'bad' : 'ok';
    if (!error) for (const id of STATUS_PARTS) at(id).classList.remove('old');
  },
);
void forever(showMap, MAP_MS);
void forever(lookAtArm, ARM_MS);
void forever(showApprovals, APPROVALS_MS);
void forever(showQuestions, APPROVALS_MS);
void forever(lookAtEvents, EVENTS_MS);

/** The plain values of a payload, for a line; the whole payload is the line's title. */
function shortFacts(payload) {
  return Object.entries(payload)
    .filter(([, value]) => typeof value !== 'object' || value === null)
    .map(([key, value]) => `${key}=${value}`)
    .join('  ');
}
