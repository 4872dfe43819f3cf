// Which files of tests with peers run beside which others.
/**
 * Each of these keeps both processors busy: one at a time. Side by side they starve one another, and whatever runs beside
 * them, until deadlines of minutes are too short.
 */
export const HEAVY = [
  'test/integration/bundle.test.ts',
  'test/integration/engine-vllm.test.ts',
  'test/integration/flywheel.test.ts',
  'test/integration/kills.test.ts',
  'test/integration/maze-real-model.test.ts',
  'test/integration/models-llama.test.ts',
  'test/integration/models-vllm.test.ts',
  'test/integration/policy-training.test.ts',
  'test/integration/power-cut.test.ts',
  'test/simulation/blind-lidar.test.ts',
  'test/simulation/demo-again.test.ts',
  'test/simulation/faults-real.test.ts',
  'test/simulation/faults.test.ts',
  'test/simulation/kill-cells.test.ts',
  'test/simulation/mazes.test.ts',
  'test/simulation/shutdown.test.ts',
];
/** A file without a known time, seconds. */
const UNLISTED_S = 1;

/**
 * The files of two lanes that take about the same time by `seconds`: one runs a file at a time, all heavy ones among them;
 * the other runs two at a time, beside it. Where the heavy ones are too few, the first has the longest others that fit.
 */
export function inTwo(files, seconds) {
  const of = (file) => seconds[file] ?? UNLISTED_S;
  const sum = (some) => some.reduce((all, file) => all + of(file), 0);
  const first = files.filter((file) => HEAVY.includes(file));
  const rest = files.filter((file) => !HEAVY.includes(file)).toSorted((a, b) => of(b) - of(a));
  let ahead = sum(rest) / 2 - sum(first);
  const second = [];
  for (const file of rest) {
    if (1.5 * of(file) > ahead) second.push(file);
    else {
      first.push(file);
      ahead -= 1.5 * of(file);
    }
  }
  return [first, second];
}
