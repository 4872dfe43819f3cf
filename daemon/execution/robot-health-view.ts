import type {
  BatteryReading,
  Clock,
  Diagnostic,
  DiagnosticLevel,
  JointReading,
  RobotHealth,
  Sample,
} from '../../contract/core.ts';
import { decodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import { decodeAny } from '../../formats/ros2/index.ts';

export const BATTERY_STATE = 'sensor_msgs/msg/BatteryState';
export const DIAGNOSTIC_ARRAY = 'diagnostic_msgs/msg/DiagnosticArray';

/** Joint states come fast and are looked at four times a second: the newest few per topic wait undecoded. */
const JOINT_SAMPLES_KEPT = 4;
const JOINT_TOPICS_MAX = 8;
const JOINTS_MAX = 256;
/** Parts of a robot that report about themselves; above it is a mistake. */
const DIAGNOSTICS_MAX = 512;
const TEXT_MAX = 256;
/** Who reports once a second and is silent for this long is stale, milliseconds. */
const STALE_MS = 10_000;

const LEVELS: readonly DiagnosticLevel[] = ['ok', 'warn', 'error', 'stale'];
const WORST_FIRST: readonly DiagnosticLevel[] = ['error', 'stale', 'warn', 'ok'];
const STATUSES: readonly BatteryReading['status'][] = [
  'unknown',
  'charging',
  'discharging',
  'not_charging',
  'full',
];

/** Battery, diagnostics and joints, from the samples of the robot, whatever topics they come on. */
export class RobotHealthView {
  readonly #clock: Clock;
  #battery: BatteryReading | undefined;
  readonly #diagnostics = new Map<string, Diagnostic & { readonly atMs: number }>();
  readonly #waiting = new Map<string, Uint8Array[]>();
  readonly #joints = new Map<string, JointReading>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Malformed messages are as if never sent: the recorder keeps the bytes. */
  observe(sample: Sample): void {
    try {
      if (sample.type === JOINT_STATE) this.#keep(sample);
      else if (sample.type === BATTERY_STATE) this.#battery = batteryOf(decodeAny(sample.type, sample.bytes));
      else if (sample.type === DIAGNOSTIC_ARRAY) this.#onDiagnostics(sample);
    } catch {
      // See above.
    }
  }

  /** 0 to 1. */
  get charge(): number | undefined {
    return this.#battery?.charge;
  }

  snapshot(): RobotHealth {
    this.#decodeJoints();
    const nowMs = this.#clock.monotonicMs();
    const diagnostics = [...this.#diagnostics.values()].map(({ atMs, ...told }): Diagnostic => {
      return nowMs - atMs > STALE_MS ? { ...told, level: 'stale' } : told;
    });
    diagnostics.sort(
      (a, b) => WORST_FIRST.indexOf(a.level) - WORST_FIRST.indexOf(b.level) || (a.name < b.name ? -1 : 1),
    );
    return { battery: this.#battery, diagnostics, joints: Object.fromEntries(this.#joints) };
  }

  /** Parts that say they have failed, as lines for the status. */
  faults(most: number): string[] {
    return [...this.#diagnostics.values()]
      .filter(({ level }) => level === 'error')
      .slice(0, most)
      .map(({ name, message }) => `diagnostics: ${name}: ${message}`);
  }

  #keep({ topic, bytes }: Sample): void {
    const waiting = this.#waiting.get(topic) ?? [];
    if (waiting.length === 0 && this.#waiting.size >= JOINT_TOPICS_MAX && !this.#waiting.has(topic)) return;
    waiting.push(bytes);
    if (waiting.length > JOINT_SAMPLES_KEPT) waiting.shift();
    this.#waiting.set(topic, waiting);
  }

  #decodeJoints(): void {
    for (const waiting of this.#waiting.values()) {
      for (const bytes of waiting.splice(0)) {
        try {
          this.#onJoints(bytes);
        } catch {
          // As above.
        }
      }
    }
  }

  #onJoints(bytes: Uint8Array): void {
    const { name, position, velocity, effort } = decodeJointState(bytes);
    for (const [i, joint] of name.entries()) {
      const at = position[i];
      if (at === undefined || !Number.isFinite(at)) continue;
      if (this.#joints.size >= JOINTS_MAX && !this.#joints.has(joint)) return;
      this.#joints.set(joint, { position: at, velocity: finite(velocity[i]), effort: finite(effort[i]) });
    }
  }

  #onDiagnostics(sample: Sample): void {
    const { status } = decodeAny(sample.type, sample.bytes) as { status: readonly Record<string, unknown>[] };
    for (const { name, level, message, hardware_id } of status) {
      const key = String(name).slice(0, TEXT_MAX);
      if (this.#diagnostics.size >= DIAGNOSTICS_MAX && !this.#diagnostics.has(key)) return;
      this.#diagnostics.set(key, {
        name: key,
        level: LEVELS[Number(level)] ?? 'error',
        message: String(message).slice(0, TEXT_MAX),
        hardwareId: String(hardware_id).slice(0, TEXT_MAX),
        atMs: this.#clock.monotonicMs(),
      });
    }
  }
}

function batteryOf(message: Readonly<Record<string, unknown>>): BatteryReading {
  const charge = finite(message['percentage']);
  return {
    // Some drivers report percent although the definition says 0 to 1.
    charge: charge === undefined ? undefined : Math.max(0, Math.min(1, charge > 1 ? charge / 100 : charge)),
    voltage: finite(message['voltage']),
    current: finite(message['current']),
    status: STATUSES[Number(message['power_supply_status'])] ?? 'unknown',
  };
}

/** What a robot does not measure is NaN. */
function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
