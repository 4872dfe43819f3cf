export const SHED_LEVELS = ['none', 'queue', 'fallback', 'cancel'] as const;
export type ShedLevel = (typeof SHED_LEVELS)[number];

/**
 * Quiet for this long before one level is taken back, milliseconds: models that come and go would be felt as jitter.
 */
export const RELEASE_MS = 2_000;

export type ShedState = {
  readonly level: ShedLevel;
  /** Since when it was quiet enough for the level below, monotonic milliseconds; undefined: it is not. */
  readonly quietSinceMs: number | undefined;
};

export const UNSHED: ShedState = { level: 'none', quietSinceMs: undefined };

/**
 * What models on this host have to release for the control loops. `late` is the share of its period by which the
 * worst loop is late; undefined: none runs. `first` is where it starts: there calls wait, at twice that they go
 * elsewhere, at three times running ones are ended. Up at once, down one level at a time. Pure.
 */
export function nextShed(
  state: ShedState,
  late: number | undefined,
  first: number,
  nowMs: number,
): ShedState {
  if (first <= 0 || late === undefined) return UNSHED;
  const wanted = late >= 3 * first ? 3 : late >= 2 * first ? 2 : late >= first ? 1 : 0;
  const at = SHED_LEVELS.indexOf(state.level);
  if (wanted >= at) return { level: SHED_LEVELS[wanted]!, quietSinceMs: undefined };
  const since = state.quietSinceMs ?? nowMs;
  if (nowMs - since < RELEASE_MS) return { level: state.level, quietSinceMs: since };
  const below = at - 1;
  return { level: SHED_LEVELS[below]!, quietSinceMs: below > wanted ? nowMs : undefined };
}
