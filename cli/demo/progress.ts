import type { Status } from '../status-view.ts';

export type Look = { readonly status: Status; readonly phase: string; readonly elapsedS: number };

/** Live progress: redraws in place on a terminal, a line every two seconds elsewhere, silent with `--json`. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #live: boolean;
  #drawn = 0;
  #lastLineS = -10;
  #lastPhase = '';

  constructor(write: (text: string) => void, live: boolean) {
    this.#write = write;
    this.#live = live;
  }

  show(look: Look): void {
    if (this.#live) {
      const lines = block(look);
      this.#write(
        `${this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''}${lines.map((line) => `\x1b[2K${line}\n`).join('')}`,
      );
      this.#drawn = lines.length;
      return;
    }
    if (look.elapsedS - this.#lastLineS < 2 && look.phase === this.#lastPhase) return;
    this.#lastLineS = look.elapsedS;
    this.#lastPhase = look.phase;
    this.#write(`${oneLine(look)}\n`);
  }
}

function facts({ status, phase, elapsedS }: Look) {
  const { robot, recorder } = status;
  const pose =
    robot.available && robot.pose
      ? `x ${robot.pose.x.toFixed(2)} m  y ${robot.pose.y.toFixed(2)} m  ${((robot.pose.yaw * 180) / Math.PI).toFixed(0)} deg`
      : 'not localised yet';
  const coverage = robot.available ? (robot.map_coverage ?? 0) : 0;
  const counts = recorder.available
    ? {
        rate: recorder.messages_per_second.toFixed(0),
        received: recorder.received,
        written: recorder.written,
        dropped: recorder.dropped,
      }
    : { rate: '0', received: 0, written: 0, dropped: 0 };
  const distance = robot.available && robot.distance !== undefined ? robot.distance.toFixed(1) : '0.0';
  const bumps = robot.available ? (robot.bumps ?? 0) : 0;
  return { phase, elapsed: elapsedS.toFixed(1), pose, coverage, distance, bumps, ...counts };
}

function block(look: Look): string[] {
  const f = facts(look);
  const filled = Math.round(f.coverage * 30);
  const cells = look.status.cells
    .map((c) => `${c.name} ${c.state === 'up' ? '●' : `○ ${c.state}`}`)
    .join('  ');
  return [
    `  phase     ${f.phase.padEnd(10)} ${f.elapsed} s`,
    `  pose      ${f.pose}   driven ${f.distance} m   bumps ${f.bumps}`,
    `  map       ${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${(f.coverage * 100).toFixed(0)} %`,
    `  messages  ${f.rate}/s   received ${f.received}   written ${f.written}   lost ${f.dropped}`,
    `  cells     ${cells}`,
  ];
}

function oneLine(look: Look): string {
  const f = facts(look);
  return `${f.elapsed.padStart(6)} s  ${f.phase.padEnd(10)}  ${f.pose.padEnd(34)}  map ${(f.coverage * 100).toFixed(0).padStart(3)} %  ${f.rate.padStart(5)} messages/s  lost ${f.dropped}`;
}
