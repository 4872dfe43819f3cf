/** A robot with the clock of a simulation counts from zero. */
const YEAR_S = 31_536_000;

/** A time of the robot for a person, seconds; `digits` after the second. Pure. */
export function timeText(timeS: number, digits = 0): string {
  if (timeS < YEAR_S) return `${timeS.toFixed(Math.max(digits, 1))} s`;
  const whole = new Date(timeS * 1000).toLocaleTimeString([], { hour12: false });
  return digits === 0 ? whole : whole + (timeS % 1).toFixed(digits).slice(1);
}

/** Values at equal steps of an axis, with the digits that distinguish them. Pure. */
export function axisTexts(values: readonly number[]): string[] {
  const step = Math.abs((values[1] ?? 1) - (values[0] ?? 0));
  const largest = Math.max(...values.map(Math.abs));
  let digits = 0;
  while (digits < 5 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits += 1;
  const fits = step >= 1e-5 && largest < 1e7;
  return values.map((value) => {
    const shown = Math.abs(value) < step / 1e3 ? 0 : value;
    return fits ? shown.toFixed(digits) : String(Number(shown.toPrecision(5)));
  });
}
