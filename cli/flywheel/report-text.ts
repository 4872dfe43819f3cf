import type { runFlywheel } from '../../daemon/compose/flywheel/run-flywheel.ts';
import { table } from '../output.ts';

type FlywheelReport = Awaited<ReturnType<typeof runFlywheel>>;

/** The result as a person reads it. */
export function reportText(report: FlywheelReport): string {
  const rows = report.rounds.map((round) => [
    String(round.round),
    String(round.demonstrations),
    String(round.interventions),
    `${round.rate.successes} of ${round.rate.trials}`,
    `${percent(round.rate.low)} to ${percent(round.rate.high)}`,
    `${round.mean_s.toFixed(1)} s`,
    round.policy_sha256.slice(0, 12),
  ]);
  const header = ['round', 'demos', 'interventions', 'success', '95 % (Wilson)', 'mean', 'policy'];
  const gain = report.rounds.length > 1 ? `\ninterventions: ${signed(report.gain_points)} points` : '';
  return `${table(header, rows)}${gain}\n${report.folder}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function signed(points: number): string {
  return `${points >= 0 ? '+' : ''}${points.toFixed(1)}`;
}
