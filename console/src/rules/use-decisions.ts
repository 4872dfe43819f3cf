import { useState } from 'react';
import { call } from '../lib/api.ts';
import { type Polled, usePolled } from '../lib/polled.ts';
import { readMessages } from '../lib/server-events.ts';
import { RulesBook } from './rules-book.ts';

const LOOK_MS = 2_000;
const PATH = '/v1/events?follow=false&since=recent&kind=policy.decided';

type Found = {
  readonly decisions: ReturnType<RulesBook['decisions']>;
  readonly leftOut: number;
};

/** The last decisions, continued from the last event each time. */
export function useDecisions(): Polled<Found> {
  const [reader] = useState(() => new Reader());
  return usePolled<Found>(PATH, LOOK_MS, { ask: (signal) => reader.read(signal), version: reader.name });
}

let readers = 0;

class Reader {
  /** Its own place among what is asked: another page starts at the start. */
  readonly name = `decisions ${readers++}`;
  readonly #book = new RulesBook();
  #cursor: string | undefined;

  async read(signal: AbortSignal): Promise<Found> {
    const response = await call(PATH, {
      signal,
      headers: () => ({
        accept: 'text/event-stream',
        ...(this.#cursor ? { 'last-event-id': this.#cursor } : {}),
      }),
    });
    // The daemon has other data now.
    if (response.status === 400) this.#cursor = undefined;
    if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
    await readMessages(response.body, ({ id, event, data }) => {
      if (id === undefined || data === undefined) return;
      if (event === undefined) this.#book.take(JSON.parse(data));
      this.#cursor = id;
    });
    return { decisions: this.#book.decisions(), leftOut: this.#book.leftOut };
  }
}
