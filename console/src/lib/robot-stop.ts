/** The stop of the robot, from any place of a page. The stop bar, which is on every page, shows how it ended. */
import { giveStop } from './stops.ts';

export type StopNote = { readonly text: string; readonly look: '' | 'ok' | 'bad' };
type Stopped = { readonly message?: string; readonly result?: { readonly confirmed?: boolean } };
/** How long it is repeated while the API does not answer, milliseconds. */
const REPEAT_MS = 4_000;

let shown: StopNote = { text: '', look: '' };
let turn = 0;
const watchers = new Set<() => void>();

function show(note: StopNote): void {
  shown = note;
  for (const changed of watchers) changed();
}

export const robotStop = {
  note: (): StopNote => shown,

  /** Calls `changed` after each new note; returns how to end that. */
  watch(changed: () => void): () => void {
    watchers.add(changed);
    return () => void watchers.delete(changed);
  },

  /** Never rejects: the note says what was not done. A newer press ends the attempts of an older one. */
  async give(): Promise<void> {
    const mine = ++turn;
    const last = () => turn === mine;
    show({ text: 'stopping', look: '' });
    const again = () => {
      if (last()) show({ text: 'NOT STOPPED yet: trying again; use the emergency stop', look: 'bad' });
      return last();
    };
    let why = '';
    let isRefused = false;
    const response = await giveStop('/v1/robot/stop', { repeatMs: REPEAT_MS, again }).catch((error) => {
      why = `: ${(error as Error).message}`;
      isRefused = (error as { status?: number }).status === 401;
    });
    if (!last()) return;
    const answer = response?.body as Stopped | undefined;
    if (response && !response.ok && answer?.message) why = `: ${answer.message}`;
    const time = new Date().toLocaleTimeString();
    // Stays until the next press: the person who pressed must not miss that nothing stopped.
    if (response?.ok && answer?.result?.confirmed === false)
      show({ text: `stop given at ${time}, NOT CONFIRMED that the robot stands: look at it`, look: 'bad' });
    else if (response?.ok) show({ text: `stopped at ${time}`, look: 'ok' });
    else {
      // Without a token the emergency stop of this page is refused too.
      const then = isRefused
        ? 'give a token, or use the button of the robot itself'
        : 'use the emergency stop';
      show({ text: `NOT STOPPED at ${time}${why}: ${then}`, look: 'bad' });
    }
  },
};
