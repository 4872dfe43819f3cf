import { ARM_TRAJECTORY } from '../../../../sim/arm/arm-topics.ts';
import type { Random } from '../../../../sim/random.ts';
import { request } from './api-routes.ts';
import type { Asker, Program } from './askers.ts';
import { ELSEWHERE, type Publication, STEERS } from './attached.ts';
import type { VirtualDaemon } from './daemon.ts';

const EVERY_MS = 40;

/** A trajectory as a node of ros2_control takes it, and a definition that makes a velocity of another type. */
const MORE: readonly (Publication | readonly [...Publication, definition: string])[] = [
  [
    ...[ARM_TRAJECTORY.topic, ARM_TRAJECTORY.type],
    {
      joint_names: ['joint_1'],
      points: [{ positions: [1], time_from_start: { sec: 1, nanosec: 0 } }],
    },
  ] as unknown as Publication,
  ['/cmd_vel', 'stranger_msgs/msg/Twist', { speeds: [0.2, 0.4] }, 'float64[6] speeds'],
  ['/cmd_vel', 'geometry_msgs/msg/TwistStamped', { twist: STEERS[2] }],
];

/** Somebody who sends messages by `POST /v1/topics/publish`, as `auraison topics publish` does, whatever is answered. */
export class Publisher implements Asker {
  readonly #daemon: VirtualDaemon;
  readonly #random: Random;
  #timer: { cancel(): void } | undefined;

  constructor(daemon: VirtualDaemon, random: Random) {
    this.#daemon = daemon;
    this.#random = random;
  }

  start(): void {
    this.#timer = this.#daemon.host.every(EVERY_MS, () => this.#send());
  }

  end(): void {
    this.#timer?.cancel();
  }

  #send(): void {
    const random = this.#random;
    const wanted = random.float() < 0.4 ? STEERS : random.pick([...ELSEWHERE, ...MORE]);
    const [topic, type, message, definition] = wanted as readonly [string, string, object, string?];
    const body = JSON.stringify({
      topic,
      type,
      message,
      ...(definition === undefined ? {} : { definition }),
    });
    request(this.#daemon, { method: 'POST', url: '/v1/topics/publish', body }).catch(() => {});
  }
}

/** The same while a program moves the robot. */
export class PublisherBeside implements Asker {
  readonly #both: readonly Asker[];

  constructor(publisher: Publisher, program: Program) {
    this.#both = [program, publisher];
  }

  start(): void {
    for (const one of this.#both) one.start();
  }

  end(): void {
    for (const one of this.#both) one.end();
  }
}
