/** A robot with the clock of a simulation counts from zero. */
const YEAR_S = 31_536_000;

/** A time of the robot for a person, seconds; `digits` after the second. Pure. */
export function timeText(timeS: number, digits = 0): string {
  if (timeS < YEAR_S) return `${timeS.toFixed(Math.max(digits, 1))} s`;
  const whole = new Date(timeS * 1000).toLocaleTimeString([], { hour12: false });
  return digits === 0 ? whole : whole + (timeS % 1).toFixed(digits).slice(1);
}
