import {
  type CallAsk,
  type CellBus,
  type Clock,
  EdgeError,
  type ImageRequest,
  LIMITS,
  LOOK_LIMITS,
  METHODS,
  type Robot,
  type ScanRequest,
  type Tool,
} from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { decodeLaserScan } from '../../../formats/cdr/index.ts';
import { askExecution } from '../robot/ask-execution.ts';
import { closed, houseTool, rounded, Topic } from './kit.ts';
import { summarizeMap } from './map-summary.ts';
import { scanSectors } from './scan-summary.ts';

export type SightParts = {
  readonly robot: Robot;
  readonly bus: Pick<CellBus, 'request'>;
  readonly clock: Clock;
  /** Longer side of images for models, pixels, and their JPEG quality. */
  readonly image: { readonly sideMax: number; readonly quality: number };
  /** Where the configuration names them; empty: what is there. */
  readonly topics: { readonly camera: string; readonly scan: string };
};

const SECTORS = 12;
/** An image of a large camera is made smaller, encoded and stored in this time, milliseconds. */
const LOOK_MS = 15_000;

/** What the robot sees: its camera, its scanner, its map. */
export function sightTools(parts: SightParts): readonly Tool[] {
  const { robot, bus, clock, image, topics } = parts;
  const ask = <N extends 'look.image' | 'look.scan'>(method: N, body: CallAsk<N>, timeoutMs: number) =>
    askExecution({ bus, clock }, method, body, timeoutMs);
  return [
    houseTool({
      name: 'robot.look',
      description:
        'Takes what a camera sees now as an image. Of a depth camera: near is bright, black is unknown, and the ' +
        'result says what bright and dark mean in metres. Look at age_s: an old image is not what is there.',
      input: Type.Object(
        { topic: Type.Optional(Topic('camera; absent: the configured or the only one')) },
        closed,
      ),
      effect: 'read',
      replay: 'safe',
      deadlineMs: LOOK_MS,
      run: async ({ topic = topics.camera }) => {
        const body: ImageRequest = { ...(topic === '' ? {} : { topic }), ...image };
        const seen = await ask(METHODS.execution.newestImage, body, LOOK_LIMITS.LOOK_MS);
        const result = {
          topic: seen.topic,
          other_cameras: seen.topics.filter((name) => name !== seen.topic),
          frame: seen.frame.slice(0, 128),
          encoding: seen.encoding,
          camera_px: seen.size,
          picture_px: seen.shown,
          ...(seen.depth ? { bright_m: rounded(seen.depth.near), dark_m: rounded(seen.depth.far) } : {}),
          age_s: age(seen),
        };
        return { result, stored: [seen.image] };
      },
    }),
    houseTool({
      name: 'robot.scan',
      description:
        'What the laser scanner sees, as sectors round the robot: the nearest thing in each and where it is. ' +
        'Bearings are counter-clockwise from straight ahead of the scanner. A blind sector is not a free one.',
      input: Type.Object(
        {
          sectors: Type.Optional(
            Type.Integer({
              minimum: 4,
              maximum: 72,
              description: `sectors of the full circle; ${SECTORS} where absent`,
            }),
          ),
          topic: Type.Optional(Topic('scanner; absent: the configured or the only one')),
        },
        closed,
      ),
      effect: 'read',
      replay: 'safe',
      deadlineMs: LIMITS.CELL_REQUEST_MS + 500,
      run: async ({ sectors = SECTORS, topic = topics.scan }) => {
        const body: ScanRequest = topic === '' ? {} : { topic };
        const seen = await ask(METHODS.execution.newestScan, body, LIMITS.CELL_REQUEST_MS);
        const scan = decodeLaserScan(seen.bytes);
        const ring = scanSectors(scan, sectors);
        const hits = ring.filter(({ nearest_m }) => nearest_m !== null);
        const nearest = hits.sort((a, b) => a.nearest_m! - b.nearest_m!)[0];
        return {
          result: {
            topic: seen.topic,
            frame: scan.header.frame_id.slice(0, 128),
            nearest_m: nearest?.nearest_m ?? null,
            nearest_at_rad: nearest?.at_rad ?? null,
            range_m: { min: finite(scan.range_min), max: finite(scan.range_max) },
            blind_sectors: ring.filter(({ view }) => view === 'blind').length,
            sectors: ring,
            age_s: age(seen),
          },
        };
      },
    }),
    houseTool({
      name: 'robot.map',
      description:
        'The map in few words: how much is known, and the frontiers, edges of the known free floor where ' +
        'unexplored space starts, the nearest first. Drive to one with robot.navigate to see more.',
      input: Type.Object({}, closed),
      effect: 'read',
      replay: 'safe',
      deadlineMs: 2 * LIMITS.CELL_REQUEST_MS + 500,
      run: async () => {
        const [map, { pose }] = await Promise.all([robot.map(), robot.state()]);
        if (map) return { result: { ...(await summarizeMap(map, pose)), localised: pose !== undefined } };
        throw new EdgeError('robot.not_supported', {
          operation: 'robot.map',
          subject: 'robot',
          message: 'this robot has no map yet',
          retryable: true,
        });
      },
    }),
  ];
}

/** How old a sample is, by the clock of the samples, seconds: how far newer ones have advanced since. */
function age({ time, newest }: { readonly time: bigint; readonly newest: bigint }): number {
  return rounded(Number(newest - time) / 1e9);
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? rounded(value) : null;
}
