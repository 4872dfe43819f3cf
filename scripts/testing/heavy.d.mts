export const HEAVY: readonly string[];
export function inTwo(
  files: readonly string[],
  seconds: Readonly<Record<string, number>>,
): [string[], string[]];
