import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TypeBook } from '../../formats/ros2/index.ts';
import published from '../golden/rihs01.json' with { type: 'json' };

const PEERS = join(import.meta.dirname, '../peers');
const RUN_INTENT = 'auraison_interfaces/action/RunIntent';
const FIBONACCI = 'example_interfaces/action/Fibonacci';
/** Types whose definitions the peer is given; hashes are those that ROS 2 published, where it did. */
const MESSAGES = [
  'sensor_msgs/msg/LaserScan',
  'nav_msgs/msg/Odometry',
  'geometry_msgs/msg/Twist',
  'std_msgs/msg/String',
  `${FIBONACCI}_FeedbackMessage`,
  `${RUN_INTENT}_FeedbackMessage`,
];
const SERVICES = [
  'std_srvs/srv/SetBool',
  'example_interfaces/srv/AddTwoInts',
  'action_msgs/srv/CancelGoal',
  `${FIBONACCI}_SendGoal`,
  `${FIBONACCI}_GetResult`,
  `${RUN_INTENT}_SendGoal`,
  `${RUN_INTENT}_GetResult`,
];

export type PeerLine = Record<string, unknown>;

/** A Python process with ROS nodes by zenoh-ros2-sdk. */
export class ZenohRosPeer {
  readonly lines: PeerLine[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #errors = '';
  #alive = true;

  constructor(mode: 'robot' | 'client' | 'asker', port: number, domain: number) {
    const python = execFileSync('bash', [join(PEERS, 'zenoh-ros.sh')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const script = join(PEERS, 'zenoh_ros_node.py');
    this.#child = spawn(python, [script, mode, String(port), String(domain)], { stdio: 'pipe' });
    this.#child.stdin!.write(`${JSON.stringify({ types: types() })}\n`);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(JSON.parse(line)));
    this.#child.stderr!.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text.toString()).slice(-4000);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on('close', () => {
        this.#alive = false;
        resolve();
      });
    });
  }

  /** The first line that fits. Fails when the process ends or the time is over, with what it said. */
  async until(fits: (line: PeerLine) => boolean, timeoutMs = 60_000): Promise<PeerLine> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const found = this.lines.find(fits);
      if (found) return found;
      if (!this.#alive || performance.now() > end) {
        throw new Error(`the peer ${this.#alive ? 'is silent' : 'has ended'}: ${this.#errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

function types(): Record<string, { definition: string; hash?: string }> {
  const book = new TypeBook();
  const hashes: Record<string, string> = published;
  const hash = (type: string) => hashes[type] ?? book.hash(type);
  const given: Record<string, { definition: string; hash?: string }> = {};
  for (const type of MESSAGES) given[type] = { definition: book.definition(type), hash: hash(type) };
  for (const type of SERVICES) {
    for (const part of [`${type}_Request`, `${type}_Response`])
      given[part] = { definition: book.definition(part) };
    given[type] = { definition: '', hash: hash(type) };
  }
  return given;
}
