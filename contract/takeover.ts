import type { LeaseRole } from './ports/safety.ts';

const TAKEN_OVER = 'taken over by ';

/** The message of a motion that a takeover ended, and the reason of a run that it paused. */
export function takenOverBy({ holder, role }: { readonly holder: string; readonly role: LeaseRole }): string {
  return `${TAKEN_OVER}${holder} (${role})`;
}

export function isTakenOver(text: unknown): text is string {
  return typeof text === 'string' && text.startsWith(TAKEN_OVER);
}
