/** A plot of one line of blocks for a terminal. Pure. */

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The newest values that fit, the oldest left. What is not finite is a gap. */
export function sparkLine(values: readonly number[], width: number): string {
  const shown = values.slice(-Math.max(1, width));
  const finite = shown.filter(Number.isFinite);
  if (finite.length === 0) return '';
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  const step = (most - least) / (BLOCKS.length - 1);
  return shown
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      return BLOCKS[step === 0 ? 3 : Math.round((value - least) / step)];
    })
    .join('');
}
