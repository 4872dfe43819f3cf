import { type CellContext, METHODS, type Robot, type RobotState } from '../../contract/core.ts';
import type { Actuation } from './actuation.ts';
import type { Receipt } from './control/control-loop.ts';
import { parseCancel, parseStop, withMotion } from './robot-requests.ts';
import { stopWarnings } from './safety/no-robot.ts';

export type RobotServiceParts = {
  readonly robot: Robot;
  readonly actuation: Actuation;
  /** Samples of the robot still arrive. */
  connected(): boolean;
  /** Charge by the robot's own battery topic, 0 to 1, where it has one. */
  charge(): number | undefined;
  /** False: this daemon has no robot to stop. Absent: it has one. */
  readonly hasRobot?: boolean;
};

/**
 * The base as the other cells know it: the methods of `METHODS.execution.robot*` on the cell bus, each motion
 * under the actuation lease, and its audit in the event log. Any `Robot` will do.
 */
export class RobotService {
  readonly #context: CellContext;
  readonly #parts: RobotServiceParts;

  constructor(context: CellContext, parts: RobotServiceParts) {
    this.#context = context;
    this.#parts = parts;
  }

  register(): void {
    const { bus, clock } = this.#context;
    const { robot, actuation } = this.#parts;
    const methods = METHODS.execution;
    bus.handle(methods.robotState, () => this.state());
    bus.handle(methods.robotMap, () => robot.map());
    bus.handle(methods.robotNavigate, async (body, from, madeAtMs, wantedAtMs) =>
      withMotion('navigate', body, { madeAtMs, clock }, ({ motionId, goal, traceparent, run, by }) => {
        const told = { motion: 'navigate', traceparent, run, by, wantedAtMs } as const;
        return actuation.move(motionId, from, (signal) => robot.navigate(goal, signal), told);
      }),
    );
    bus.handle(methods.robotManeuver, async (body, from, madeAtMs, wantedAtMs) =>
      withMotion('maneuver', body, { madeAtMs, clock }, ({ motionId, goal, traceparent, run, by }) => {
        const told = { motion: 'maneuver', traceparent, run, by, wantedAtMs } as const;
        return actuation.move(motionId, from, (signal) => robot.maneuver(goal, signal), told);
      }),
    );
    bus.handle(methods.robotCancel, async (body) => {
      const { motionId, reason, by } = parseCancel(body);
      actuation.cancel(motionId, reason, by);
    });
    bus.handle(methods.robotStop, async (body) => {
      const { reason, run, role, by, agentOf } = parseStop(body);
      await (run === undefined
        ? actuation.stop(reason, role, by, agentOf)
        : actuation.stopRun(run, reason, { by }));
      return stopWarnings(this.#parts.hasRobot ?? true);
    });
  }

  async state(): Promise<RobotState> {
    const { robot, connected, charge } = this.#parts;
    const state = await robot.state();
    return { ...state, battery: state.battery ?? charge(), connected: state.connected && connected() };
  }

  /** What the control thread decided on its own and the record has to know. */
  record(receipts: readonly Receipt[]): void {
    const { actuation } = this.#parts;
    for (const receipt of receipts) {
      if (receipt.kind === 'command.refused') {
        actuation.note({
          kind: 'command.refused',
          payload: { error: receipt.error, source: receipt.source },
        });
      } else {
        actuation.note({
          kind: 'safety.stopped',
          payload: { reason: receipt.reason, source: receipt.source },
        });
      }
    }
  }
}
