/** What pages read from the API again and again. Kept by TanStack Query: panels that read the same share one request. */
import { focusManager, QueryClient, useQuery } from '@tanstack/react-query';
import { useRef, useSyncExternalStore } from 'react';
import { read } from './api.ts';

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: false,
      // A robot without internet is not offline: this page comes from it.
      networkMode: 'always',
      refetchOnWindowFocus: 'always',
      refetchIntervalInBackground: false,
      staleTime: 0,
    },
  },
});

/** When the page was last hidden or shown, wall clock milliseconds: what was known by then is of before. */
let turnedMs = Number.NEGATIVE_INFINITY;
const turns = new Set<() => void>();
const onTurn = (changed: () => void) => {
  turns.add(changed);
  return () => void turns.delete(changed);
};

/** To be called once, before anything is asked. */
export function watchVisibility(): void {
  focusManager.setEventListener((setFocused) => {
    const turned = () => {
      turnedMs = Date.now();
      for (const changed of turns) changed();
      setFocused(!document.hidden);
    };
    document.addEventListener('visibilitychange', turned);
    return () => document.removeEventListener('visibilitychange', turned);
  });
}

export type Polled<T> = {
  readonly data: T | undefined;
  readonly error: Error | undefined;
  /** What is shown is of before: no answer, an error, or the page was hidden. Shown paler. */
  readonly old: boolean;
  /** When `data` was answered. */
  readonly asOf: Date | undefined;
  /** When `data` was asked for, wall clock milliseconds; 0 while it is absent. What changed later may not be in it. */
  readonly askedMs: number;
  readonly again: () => Promise<unknown>;
};

export type PolledOptions<T> = {
  /** How long the answer may take, milliseconds. */
  readonly answerMs?: number;
  /** False: not asked. */
  readonly enabled?: boolean;
  /** What is asked for again under another version, although the path is the same. */
  readonly version?: string;
  /** Asks in another way than a plain GET of the path. */
  readonly ask?: (signal: AbortSignal) => Promise<T>;
  /** Milliseconds until the next question, by the last answer; false: never again. Absent: `everyMs`. */
  readonly next?: (data: T | undefined) => number | false;
};

/** When the last answer of each question was asked for, wall clock milliseconds. */
const askedMs = new Map<string, number>();

async function timed<T>(name: string, ask: () => Promise<T>): Promise<T> {
  const startMs = Date.now();
  const data = await ask();
  askedMs.set(name, startMs);
  return data;
}

/** Reads `path` now and every `everyMs` milliseconds while a component that uses it is shown and the page is visible. */
export function usePolled<T>(path: string, everyMs: number, options: PolledOptions<T> = {}): Polled<T> {
  const shownMs = useRef(Date.now());
  const turned = useSyncExternalStore(onTurn, () => turnedMs);
  const { answerMs, enabled = true, ask, next, version = '' } = options;
  const name = `${path} ${version}`;
  const query = useQuery<T, Error>({
    queryKey: [path, version],
    queryFn: ({ signal }) => timed(name, () => (ask ? ask(signal) : read<T>(path, answerMs, signal))),
    refetchInterval: next ? (state) => next(state.state.data) : everyMs,
    enabled,
  });
  const { data, error, dataUpdatedAt } = query;
  const outdated = dataUpdatedAt <= turned || dataUpdatedAt < shownMs.current - 3 * everyMs;
  return {
    data,
    error: error ?? undefined,
    old: data !== undefined && (error !== null || outdated),
    asOf: dataUpdatedAt > 0 ? new Date(dataUpdatedAt) : undefined,
    askedMs: dataUpdatedAt > 0 ? (askedMs.get(name) ?? 0) : 0,
    again: query.refetch,
  };
}
