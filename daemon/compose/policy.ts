import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';

/** The driving network: the configured one, else the one of the maze application. */
export function driveModelPath(config: Config): string {
  return config.control.model !== ''
    ? config.control.model
    : fileURLToPath(new URL('../../apps/turtlebot-maze/policy/drive.onnx', import.meta.url));
}
