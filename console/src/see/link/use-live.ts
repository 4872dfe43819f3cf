/** The one live link of this page, for React. */
import { createContext, useContext, useEffect, useRef, useSyncExternalStore } from 'react';
import { Refusal, read } from '../../lib/api.ts';
import { tokenNow } from '../../lib/token.ts';
import { type LinkState, LiveLink, type Socket, type Take } from './live-link.ts';

const PROTOCOL = 'foxglove.sdk.v1';

/** A browser cannot send a header with a WebSocket, so the token is a subprotocol. */
function connect(): Socket {
  const coded = btoa(tokenNow()).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/live`;
  return new WebSocket(url, coded === '' ? [PROTOCOL] : [PROTOCOL, `bearer.${coded}`]) as Socket;
}

/** It has the rights and the cell of live topics, and answers with words. */
async function whyRefused(): Promise<string> {
  try {
    await read('/v1/estop');
    return '';
  } catch (error) {
    return error instanceof Refusal ? error.message : '';
  }
}

export const link = new LiveLink({
  connect,
  whyRefused,
  nowMs: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
});
const hide = () => link.hide(document.hidden);
document.addEventListener('visibilitychange', hide);
hide();

const listen = (changed: () => void) => link.listen(changed);

/** Holds the link while the component is shown. */
export function useLink(): LinkState {
  useEffect(() => link.hold(), []);
  return useSyncExternalStore(listen, () => link.view);
}

/** Where the panels below get their samples: the robot as it is now, or a recording. */
export type SampleSource = {
  readonly isRecorded: boolean;
  follow(topic: string, take: Take): () => void;
  /** Called before samples of another time come; absent: time only passes. */
  onSeek?(call: () => void): () => void;
};
export const Samples = createContext<SampleSource>({
  isRecorded: false,
  follow: (topic, take) => link.follow(topic, take),
});

/** Calls when what was shown is of another time. `call` may change at each render. */
export function useSeek(call: () => void): void {
  const latest = useRef(call);
  latest.current = call;
  const source = useContext(Samples);
  useEffect(() => source.onSeek?.(() => latest.current()), [source]);
}

/** Each sample of these topics while the component is shown. `take` may change at each render. */
export function useSamples(topics: readonly string[], take: Take): void {
  const latest = useRef(take);
  latest.current = take;
  const source = useContext(Samples);
  const key = topics.join('\n');
  useEffect(() => {
    const names = key === '' ? [] : [...new Set(key.split('\n'))];
    const ends = names.map((topic) => source.follow(topic, (sample) => latest.current(sample)));
    return () => {
      for (const end of ends) end();
    };
  }, [key, source]);
}

/** Calls before each frame of the screen while the component is shown. */
export function useFrames(draw: (nowMs: number) => void): void {
  const latest = useRef(draw);
  latest.current = draw;
  useEffect(() => {
    let id = requestAnimationFrame(function frame(nowMs) {
      latest.current(nowMs);
      id = requestAnimationFrame(frame);
    });
    return () => cancelAnimationFrame(id);
  }, []);
}

/** Calls again and again while the component is shown: for texts, which need no sixty changes a second. */
export function useEvery(ms: number, call: () => void): void {
  const latest = useRef(call);
  latest.current = call;
  useEffect(() => {
    const timer = setInterval(() => latest.current(), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
