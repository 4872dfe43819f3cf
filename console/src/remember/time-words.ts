/** Times of a recording as a person reads them. Pure. */

/** Since the start of the recording: `1:02:03.45`, `2:03.45`, `3.45 s`. */
export function offsetText(seconds: number, digits = 2): string {
  const sign = seconds < 0 ? '−' : '';
  const whole = Math.abs(seconds);
  if (whole < 60) return `${sign}${whole.toFixed(digits)} s`;
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  const left = (whole % 60).toFixed(digits).padStart(digits === 0 ? 2 : digits + 3, '0');
  const head = hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}` : String(minutes);
  return `${sign}${head}:${left}`;
}

/** By the clock of the recording. */
export const clockText = (timeS: number): string => new Date(timeS * 1_000).toLocaleString();
