import { useEffect, useState } from 'react';
import { call } from '../lib/api.ts';
import { readMessages } from '../lib/server-events.ts';
import { type RunEvent, type Story, StoryBook } from './story.ts';

const LOOK_MS = 600;
/** After an error it is not asked at once. */
const AGAIN_MS = 2000;

export type StoryOf = { readonly story: Story; readonly error: string };

/** The story of a run from its start, and what is added to it until it is over. `runId` may be empty. */
export function useStory(runId: string, over: boolean): StoryOf {
  const [told, setTold] = useState<StoryOf>({ story: { items: [] }, error: '' });
  // It is read once more after the end.
  useEffect(() => {
    if (runId === '') return;
    const gone = new AbortController();
    const follow = follower(runId);
    const look = async () => {
      while (!gone.signal.aborted) {
        let pause = LOOK_MS;
        try {
          const story = await follow(gone.signal);
          setTold({ story, error: '' });
          if (over) return;
        } catch (error) {
          if (gone.signal.aborted) return;
          // A stop took the connection, or the page was hidden.
          if ((error as Error).name !== 'AbortError') {
            setTold((before) => ({ ...before, error: (error as Error).message }));
            pause = AGAIN_MS;
          }
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    };
    void look();
    return () => gone.abort();
  }, [runId, over]);
  return told;
}

/** Each call reads what is new since the one before. */
function follower(runId: string): (signal: AbortSignal) => Promise<Story> {
  const book = new StoryBook();
  let cursor: string | undefined;
  return async (signal) => {
    const response = await call(`/v1/runs/${encodeURIComponent(runId)}/events?follow=false`, {
      signal,
      answerMs: 30_000,
      headers: () => ({ accept: 'text/event-stream', ...(cursor ? { 'last-event-id': cursor } : {}) }),
    });
    if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
    let events: RunEvent[] = [];
    await readMessages(response.body, ({ id, event, data }) => {
      if (id === undefined || data === undefined) return;
      if (event === undefined) events.push(JSON.parse(data) as RunEvent);
      // Taken whole up to here: a connection that breaks repeats nothing.
      cursor = id;
      if (events.length >= 64) {
        book.take(events);
        events = [];
      }
    }).finally(() => book.take(events));
    return book.story;
  };
}
