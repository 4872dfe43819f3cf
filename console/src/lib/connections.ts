/**
 * A browser has six connections to one robot, for all its tabs and windows. So no page holds one for long, pages that
 * are hidden ask nothing, and before a stop every page of this browser cancels what it waits for.
 */

/** A page that went away in the middle of its stop keeps no other page waiting longer. */
const STOP_MS = 10_000;
const stops = new Map<string, ReturnType<typeof setTimeout>>();
let others: BroadcastChannel | undefined;
let reading = new AbortController();
let free: Promise<void> = Promise.resolve();
let setFree: (() => void) | undefined;

type Word = { readonly id: string; readonly begins: boolean };

/** To be called once, before anything is asked. */
export function shareConnections(): void {
  document.addEventListener('visibilitychange', turn);
  others = new BroadcastChannel('auraison-stops');
  others.addEventListener('message', ({ data }: MessageEvent<Word>) =>
    data.begins ? begin(data.id) : end(data.id),
  );
  turn();
}

/** Runs what only reads: when there is a connection for it, and from the start again when that was taken from it. */
export async function whenFree<T>(read: (signal: AbortSignal) => Promise<T>): Promise<T> {
  for (;;) {
    await free;
    const { signal } = reading;
    try {
      return await read(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** Runs a stop, for which all pages of this browser make way. */
export async function makeWay<T>(stop: () => Promise<T>): Promise<T> {
  const id = `${performance.timeOrigin} ${performance.now()} ${Math.random()}`;
  others?.postMessage({ id, begins: true } satisfies Word);
  begin(id);
  try {
    return await stop();
  } finally {
    others?.postMessage({ id, begins: false } satisfies Word);
    end(id);
  }
}

/** Gives back the connections of this page, which is about to wait for a person. */
export function letGo(): void {
  reading.abort();
  reading = new AbortController();
}

function begin(id: string): void {
  stops.set(
    id,
    setTimeout(() => end(id), STOP_MS),
  );
  turn();
}

function end(id: string): void {
  clearTimeout(stops.get(id));
  stops.delete(id);
  turn();
}

function turn(): void {
  const mayRead = stops.size === 0 && !document.hidden;
  if (mayRead) {
    setFree?.();
    setFree = undefined;
  } else if (setFree === undefined) {
    free = new Promise((resolve) => {
      setFree = resolve;
    });
    letGo();
  }
}
