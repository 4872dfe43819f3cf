import { describe, expect, it } from 'vitest';
import { ChatCore } from '../../cli/chat/core.ts';
import type { Input, Order, SessionBox, Shown } from '../../cli/chat/shown.ts';
import { clean, statusLine, textOf } from '../../cli/chat/text.ts';

type Outcome = { shown: Shown[]; orders: Order[] };

/** A conversation with its session open, and what it says to an input. */
function talking(): { core: ChatCore; take: (input: Input) => Outcome; line: (text: string) => Outcome } {
  let last = 0;
  const core = new ChatCore(() => `id-${++last}`);
  const take = (input: Input) => {
    const { shown, orders } = core.take(input);
    return { shown: [...shown], orders: [...orders] };
  };
  return { core, take, line: (text) => take({ kind: 'line', text }) };
}

function opened() {
  const chat = talking();
  chat.line('hello');
  chat.take({ kind: 'opened', session_id: 's' });
  chat.take({ kind: 'settled', id: 'id-1', result: { as: 'done' } });
  chat.take({ kind: 'caught_up' });
  return chat;
}

const event = (kind: string, payload: object) =>
  ({ kind: 'event', event: { kind, payload } }) as unknown as Input;
const answer = (text: string) =>
  event('session.entry', {
    entry: { type: 'message', message: { role: 'assistant', content: [{ type: 'text', text }] } },
  });
const token = (text: string): Input => ({ kind: 'token', token: { kind: 'text', text } });
const approval = (id: string) =>
  event('approval.requested', {
    approval_id: id,
    point: 'tool',
    subject: `drive ${id}`,
    reason: 'it drives',
    facts: {},
  });
const lost: Input = { kind: 'lost', why: 'gone' };
const box = (state: SessionBox['state'], reason = ''): Input =>
  ({ kind: 'session', box: { session_id: 's', state, reason } }) as unknown as Input;
const sent = ({ orders }: Outcome) => orders[0] as { readonly id: string };
const said = ({ shown }: Outcome) => shown.filter((one) => one.kind === 'said');

describe('a conversation', () => {
  it('is opened by its first words, and what follows waits for it in order', () => {
    const { line, take } = talking();
    expect(line('hello').orders).toEqual([{ do: 'create', id: 'id-1', text: 'hello' }]);
    expect(line('and more').orders).toEqual([]);
    expect(line('/follow last').orders).toEqual([]);
    expect(take({ kind: 'opened', session_id: 's' }).orders).toMatchObject([
      { path: 'steer', body: { text: 'and more' } },
    ]);
    expect(take({ kind: 'settled', id: 'id-2', result: { as: 'done' } }).orders).toMatchObject([
      { path: 'follow-up', body: { text: 'last' } },
    ]);
  });

  it('shows an answer once, however its tokens and its whole text come', () => {
    for (const order of ['tokens first', 'late', 'next one early', 'gap'] as const) {
      const { take } = opened();
      const text: string[] = [];
      const show = ({ shown }: Outcome) => {
        for (const one of shown) {
          if (one.kind === 'token') text.push(one.text);
          if (one.kind === 'said') text.push(one.rest ?? `|${one.text}`);
        }
      };
      show(take(token('one ')));
      if (order === 'tokens first') show(take(token('two')));
      if (order === 'gap') show(take({ kind: 'token', token: { kind: 'gap' } }));
      if (order === 'next one early') show(take(token('twonext')));
      show(take(answer('one two')));
      if (order === 'late') show(take(token('two')));
      expect([order, text.join('')]).toEqual([
        order,
        { 'tokens first': 'one two', late: 'one two', 'next one early': 'one twonext', gap: 'one |one two' }[
          order
        ],
      ]);
    }
  });

  it('shows no answer again whose tokens come when the agent waits already', () => {
    const { take } = opened();
    take(answer('one two'));
    take(event('run.phase', { phase: 'waiting' }));
    expect(take(token('one two')).shown).toEqual([]);
    take(answer('one three'));
    expect(take(token('one ')).shown).toEqual([]);
    expect(take(token('four')).shown).toEqual([{ kind: 'token', text: 'one four' }]);
  });

  it('answers an approval by its id, and no other one by mistake', () => {
    const { take, line } = opened();
    take(approval('aaaaaa'));
    expect(line('y').orders).toMatchObject([{ do: 'approve', approval_id: 'aaaaaa', decision: 'allow' }]);
    take(approval('bbbbbb'));
    take(approval('cccccc'));
    expect(line('n').orders).toEqual([]);
    expect(line('n cccccc').orders).toMatchObject([{ approval_id: 'cccccc', decision: 'deny' }]);
    // b expires as the person types; the y was not meant for d.
    take(event('approval.answered', { approval_id: 'bbbbbb', decision: 'expired', by: '', reason: '' }));
    take(approval('dddddd'));
    expect(line('y').orders).toEqual([]);
    expect(line('y').orders).toMatchObject([{ approval_id: 'dddddd' }]);
    // Without a question it is a word like any other.
    expect(line('y').orders).toMatchObject([{ do: 'message', path: 'steer', body: { text: 'y' } }]);
  });

  it('asks again where the answer was refused', () => {
    const { take, line, core } = opened();
    take(approval('aaaaaa'));
    const [order] = line('y').orders;
    take({
      kind: 'settled',
      id: (order as { id: string }).id,
      result: { as: 'refused', why: 'not your role' },
    });
    expect(core.asked).toMatchObject([{ approval_id: 'aaaaaa' }]);
  });

  it('stops at the first Ctrl-C and leaves at the second; a new word starts over', () => {
    const { take, line } = opened();
    expect(take({ kind: 'interrupt' }).orders).toMatchObject([{ path: 'stop' }]);
    expect(take({ kind: 'interrupt' }).orders).toEqual([{ do: 'leave' }]);
    line('go on');
    expect(take({ kind: 'interrupt' }).orders).toMatchObject([{ path: 'stop' }]);
  });

  it('stops a session that is still being opened, and drops what was not sent', () => {
    const { take, line } = talking();
    line('drive');
    line('further');
    const { orders, shown } = take({ kind: 'interrupt' });
    expect(orders).toEqual([]);
    expect(shown).toContainEqual({ kind: 'note', text: 'not sent: further' });
    expect(take({ kind: 'opened', session_id: 's' }).orders).toMatchObject([{ path: 'stop' }]);
  });

  it('sends an order to stop beside whatever is being sent, and says that it was ordered', () => {
    const { take, line } = opened();
    line('drive');
    line('further');
    const stop = line('STOP!!');
    expect(stop.orders).toMatchObject([{ path: 'steer', body: { text: 'STOP!!' }, urgent: true }]);
    expect(stop.shown).toContainEqual({ kind: 'note', text: 'not sent: further' });
    expect(take({ kind: 'settled', id: sent(stop).id, result: { as: 'done' } }).shown).toContainEqual({
      kind: 'note',
      text: 'the robot was ordered to stop',
    });
    expect(take({ kind: 'interrupt' }).orders).toMatchObject([{ path: 'stop' }]);
  });

  it.each(['refused', 'unsure'] as const)('goes to the robot itself where the session answers: %s', (as) => {
    const { take, line } = opened();
    const result = { as, why: 'over' };
    const direct = take({ kind: 'settled', id: sent(line('stop')).id, result });
    expect(direct.orders).toMatchObject([{ do: 'stop_robot', words: 'stop' }]);
    const lastly = take({ kind: 'settled', id: sent(direct).id, result });
    expect(lastly.shown).toContainEqual({
      kind: 'error',
      text: expect.stringContaining('NOT ordered to stop, use auraison estop'),
    });
    expect(lastly.orders).toEqual([]);
  });

  it('stops the robot without a session, and one that is being opened hears it too', () => {
    const { take, line, core } = talking();
    const first = line('stop');
    expect(first.orders).toMatchObject([{ do: 'stop_robot', words: 'stop' }]);
    expect(core.idle).toBe(false);
    take({ kind: 'settled', id: sent(first).id, result: { as: 'done' } });
    expect(core.idle).toBe(true);
    line('drive');
    line('further');
    const { orders, shown } = line('stop!');
    expect(orders).toMatchObject([{ do: 'stop_robot', words: 'stop!' }]);
    expect(shown).toContainEqual({ kind: 'note', text: 'not sent: further' });
    expect(take({ kind: 'opened', session_id: 's' }).orders).toMatchObject([
      { path: 'steer', body: { text: 'stop!' } },
    ]);
  });

  it('stops the robot by words after the session has ended', () => {
    const { take, line } = opened();
    take(event('run.finished', { status: 'succeeded', reason: 'done' }));
    expect(line('halt').orders).toMatchObject([{ do: 'stop_robot' }]);
    expect(line('drive').orders).toEqual([]);
  });

  it('shows the order of another person as an order, not as what became of it', () => {
    const { take } = opened();
    const { shown } = take(
      event('run.message', { message_id: 'x', kind: 'stop', body: { text: 'stop' }, principal: 'ann' }),
    );
    expect(shown).toEqual([
      { kind: 'said', by: 'ann', text: 'stop' },
      { kind: 'note', text: 'ann: the robot was ordered to stop' },
    ]);
  });

  it('says a stop again after a message that it may have overtaken', () => {
    const { take, line } = opened();
    const drive = sent(line('drive'));
    const stop = sent(take({ kind: 'interrupt' }));
    take({ kind: 'settled', id: stop.id, result: { as: 'done' } });
    expect(take({ kind: 'settled', id: drive.id, result: { as: 'done' } }).orders).toMatchObject([
      { path: 'stop' },
    ]);
  });

  it('sends nothing twice over a broken connection, except a stop under its own id', () => {
    const { take, line } = opened();
    const one = sent(line('drive'));
    take(lost);
    take({ kind: 'settled', id: one.id, result: { as: 'unsure', why: 'gone' } });
    const stop = sent(take({ kind: 'interrupt' }));
    take({ kind: 'settled', id: stop.id, result: { as: 'unsure', why: 'gone' } });
    const back = take({ kind: 'caught_up' });
    expect(back.orders).toMatchObject([{ path: 'stop', id: stop.id }]);
    expect(back.shown).toContainEqual(
      expect.objectContaining({ kind: 'error', text: expect.stringContaining('did not hear: drive') }),
    );

    const other = opened();
    const two = sent(other.line('drive'));
    other.take({ kind: 'settled', id: two.id, result: { as: 'unsure', why: 'gone' } });
    other.take(
      event('run.message', { message_id: two.id, kind: 'steer', body: { text: 'drive' }, principal: 'me' }),
    );
    expect(other.take({ kind: 'caught_up' })).toEqual({ shown: [], orders: [] });
  });

  it('shows an answer once whose event comes after the person has said more', () => {
    const { take, line } = opened();
    take(token('one two'));
    take(box('waiting'));
    take(lost);
    expect(said(line('and now?')).map((one) => one.kind === 'said' && one.text)).toEqual([
      'one two',
      'and now?',
    ]);
    expect(said(take(answer('one two')))).toEqual([]);
    expect(said(take(answer('one two')))).toHaveLength(1);
  });

  it('shows words of others, and its own only once', () => {
    const { take, line } = opened();
    const mine = line('mine');
    expect(said(mine)).toHaveLength(1);
    const { id } = mine.orders[0] as { id: string };
    expect(
      said(
        take(
          event('run.message', { message_id: id, kind: 'steer', body: { text: 'mine' }, principal: 'me' }),
        ),
      ),
    ).toEqual([]);
    expect(
      said(
        take(
          event('run.message', {
            message_id: 'x',
            kind: 'steer',
            body: { text: 'theirs' },
            principal: 'ann',
          }),
        ),
      ),
    ).toEqual([{ kind: 'said', by: 'ann', text: 'theirs' }]);
  });

  it('is idle once the words that it sent were heard and answered', () => {
    const { take, line, core } = opened();
    take(event('run.phase', { phase: 'waiting' }));
    take(box('waiting'));
    expect(core.idle).toBe(true);
    const { id } = line('more').orders[0] as { id: string };
    take({ kind: 'settled', id, result: { as: 'done' } });
    expect(core.idle).toBe(false);
    take(event('run.message', { message_id: id, kind: 'steer', body: { text: 'more' }, principal: 'me' }));
    take(event('run.phase', { phase: 'waiting' }));
    expect(core.idle).toBe(true);
  });

  it('knows model, context and cost from the answers, and leaves out what nobody reported', () => {
    const { take, core } = opened();
    take(box('queued', 'another run moves the robot'));
    expect(statusLine(core.status)).toBe('queued: another run moves the robot');
    const returned = {
      call_id: 'c',
      ok: true,
      tokens_in: 90,
      tokens_out: 10,
      duration_ms: 1,
      model: 'small',
    };
    take(event('model.returned', { ...returned, cost_usd: 0.25 }));
    take(event('model.returned', { ...returned, cost_usd: 0.25 }));
    take({ kind: 'context', sizes: new Map([['small', 4096]]) });
    take(box('working'));
    expect(statusLine(core.status)).toBe('working | small | 100 of 4096 tokens | 0.5000 USD');
  });

  it('explains a wrong command, and lets no text move the cursor', () => {
    const { line } = opened();
    expect(line('/fly').shown).toEqual([{ kind: 'error', text: expect.stringContaining('/help') }]);
    expect(line('/follow').shown).toEqual([{ kind: 'error', text: expect.stringContaining('needs a text') }]);
    expect(line('//etc').orders).toMatchObject([{ body: { text: '/etc' } }]);
    expect(clean('a\x1b[2Jb\nc')).toBe('a [2Jb\nc');
    expect(
      textOf({ kind: 'result', call_id: 'c', tool: 't', ok: true, text: 'x\x07', duration_ms: 1500 }),
    ).toBe('<- t ok after 1.5 s: x ');
  });
});
