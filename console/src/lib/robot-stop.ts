/** The stop of the robot, from any place of a page. The stop bar, which is on every page, shows how it ended. */
import { callFirst } from './api.ts';

export type StopNote = { readonly text: string; readonly look: '' | 'ok' | 'bad' };
type Stopped = { readonly result?: { readonly confirmed?: boolean } };

let shown: StopNote = { text: '', look: '' };
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

  /** Never rejects: the note says what was not done. */
  async give(): Promise<void> {
    show({ text: 'stopping', look: '' });
    const response = await callFirst('/v1/robot/stop').catch(() => undefined);
    const answer = (await response?.json().catch(() => undefined)) as Stopped | undefined;
    const time = new Date().toLocaleTimeString();
    // Stays until the next press: the person who pressed must not miss that nothing stopped.
    if (response?.ok && answer?.result?.confirmed === false)
      show({ text: `stop given at ${time}, NOT CONFIRMED that the robot stands: look at it`, look: 'bad' });
    else if (response?.ok) show({ text: `stopped at ${time}`, look: 'ok' });
    else show({ text: `NOT STOPPED at ${time}: use the emergency stop`, look: 'bad' });
  },
};
