import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { RunInbox } from '../../adapters/pi/run-inbox.ts';

function inboxOf() {
  const entries: string[] = [];
  const append = (type: string) => `${entries.push(type)}`;
  const agent = { clearAllQueues() {}, waitForIdle: async () => {}, steer() {} };
  const journal = { said: new Map(), tag() {}, flush: async () => {}, post: async () => {} };
  const manager = { getEntries: () => [], appendCustomEntry: append };
  const parts = { journal, manager, session: { agent }, door: {}, command: () => undefined, now: () => 0 };
  return { inbox: new RunInbox(parts as never), entries };
}

it('counts two stops that meet words on their way into the session', async () => {
  const { inbox, entries } = inboxOf();
  inbox.take({ kind: 'steer', messageId: '1', text: 'look left' });
  inbox.hear();
  inbox.waiting();
  const stops = [inbox.take({ kind: 'stop', messageId: '2' }), inbox.take({ kind: 'stop', messageId: '3' })];
  await inbox.during(async () => {});
  await Promise.all(stops);
  expect(entries).toHaveLength(2);
});

it('leaves nothing at the signal of the run, however often it waits for words', async () => {
  const { inbox } = inboxOf();
  const { signal } = new AbortController();
  for (let n = 0; n < 20; n++) {
    const words = inbox.words(signal);
    inbox.take({ kind: 'follow_up', messageId: `${n}`, text: 'go on' });
    await words;
    inbox.waiting();
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
