/** `received 9 = written 7 + dropped 1 + 1 on the way`: the sum holds, whatever is between the bus and the disk. */
export function balanceText(counts: {
  readonly received: number;
  readonly written: number;
  readonly dropped: number;
}): string {
  const { received, written, dropped } = counts;
  const waiting = Math.max(0, received - written - dropped);
  const rest = waiting === 0 ? '' : ` + ${waiting} on the way`;
  return `received ${received} = written ${written} + dropped ${dropped}${rest}`;
}
