/** What people call a run. Pure. */
import { timeOf } from './format.ts';
import type { RunDetails } from './views.ts';

/** The first words, or the intent, and when. */
export function nameOf({ intent, app, queued_ts }: RunDetails): string {
  const words = intent?.params?.['words'];
  const name = typeof words === 'string' && words !== '' ? words : (intent?.type ?? app);
  const cut = name.length > 48 ? `${name.slice(0, 47)}…` : name;
  return `${cut} · ${timeOf(queued_ts).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`;
}
