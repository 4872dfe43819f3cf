import type { RoundResult } from './flywheel.ts';

export type FlywheelReport = {
  readonly task: string;
  readonly seed: number;
  /** Longest prefix that the policies learned to continue from, in actions; 0: they take none. */
  readonly prefix: number;
  readonly folder: string;
  readonly rounds: readonly RoundResult[];
  /** Percentage points that the last round gained over the first. */
  readonly gain_points: number;
};

export function gainOf(rounds: readonly RoundResult[]): number {
  const [first, last] = [rounds[0], rounds.at(-1)];
  if (!first || !last) return 0;
  return (100 * last.rate.successes) / last.rate.trials - (100 * first.rate.successes) / first.rate.trials;
}

const WIDTH = 480;
const HEIGHT = 300;
const LEFT = 52;
const BOTTOM = 250;
const TOP = 34;

/** Success over rounds, each with its interval, as an image of a kilobyte. */
export function reportSvg({ rounds, task, seed }: FlywheelReport): string {
  const step = (WIDTH - LEFT - 30) / Math.max(1, rounds.length);
  const y = (share: number) => BOTTOM - share * (BOTTOM - TOP);
  const lines = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<path d="M${LEFT} ${y(share)}H${WIDTH - 20}" stroke="#8886" stroke-width="1"/><text x="${LEFT - 8}" y="${y(share) + 4}" text-anchor="end">${100 * share} %</text>`,
  );
  const bars = rounds.map(({ round, rate, demonstrations, interventions }, i) => {
    const x = LEFT + step * (i + 0.5);
    const share = rate.successes / rate.trials;
    const half = Math.min(40, step / 3);
    return `<rect x="${x - half}" y="${y(share)}" width="${2 * half}" height="${BOTTOM - y(share)}" fill="#3b76c4"/>
<path d="M${x} ${y(rate.low)}V${y(rate.high)}M${x - 8} ${y(rate.low)}h16M${x - 8} ${y(rate.high)}h16" stroke="currentColor" stroke-width="1.5"/>
<text x="${x}" y="${y(rate.high) - 6}" text-anchor="middle" font-weight="bold">${rate.successes} of ${rate.trials}</text>
<text x="${x}" y="${BOTTOM + 18}" text-anchor="middle">round ${round}</text>
<text x="${x}" y="${BOTTOM + 34}" text-anchor="middle">${demonstrations} + ${interventions}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="currentColor" style="color:#333">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
<text x="${LEFT}" y="18" font-size="13">${escaped(task)}: success on held-out starts (seed ${seed}); demonstrations + interventions</text>
${[...lines, ...bars].join('\n')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
