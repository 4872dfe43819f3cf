import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib';
import { EdgeError, LIMITS, type MapSnapshot, type RobotState, toWireTime } from '../../../contract/index.ts';

const deflate = promisify(deflateRaw);
/**
 * Deflated at once, in up to 20 ms: another thread would take longer to wake up. Larger ones are deflated in another
 * thread and block nothing.
 */
const AT_ONCE_CELLS = 512 * 512;

type Plain = Record<string, unknown>;

/** What the read before looked like, per attempt: what is written is the difference to it. */
export class ObservedMemory {
  state: Plain | undefined;
  map: MapSnapshot | undefined;
}

/** What changed since the read before; undefined: nothing did. Keys that went are `null` under `gone`. */
export function encodeState(memory: ObservedMemory, state: RobotState): Plain | undefined {
  const now: Plain = {};
  for (const [key, value] of Object.entries(state)) {
    if (value === undefined) continue;
    now[key] = typeof value === 'bigint' ? value.toString() : value;
  }
  const before = memory.state ?? {};
  memory.state = now;
  const patch: Plain = {};
  const gone = Object.keys(before).filter((key) => !Object.hasOwn(now, key));
  for (const [key, value] of Object.entries(now)) {
    if (JSON.stringify(before[key]) !== JSON.stringify(value)) patch[key] = value;
  }
  if (gone.length > 0) patch['gone'] = gone;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

export function decodeState(memory: ObservedMemory, patch: Plain | undefined): RobotState {
  const now: Plain = { ...memory.state };
  if (patch) {
    const { gone, ...changed } = patch;
    for (const key of (gone as string[] | undefined) ?? []) delete now[key];
    Object.assign(now, changed);
  }
  memory.state = now;
  return {
    pose: undefined,
    battery: undefined,
    ...now,
    time: BigInt(String(now['time'])),
  } as RobotState;
}

/**
 * Cells as the difference to the map before where that had the same shape, deflated. Calls with one
 * memory come one after the other.
 */
export async function encodeMap(
  memory: ObservedMemory,
  map: MapSnapshot | undefined,
): Promise<Plain | undefined> {
  const before = memory.map;
  memory.map = map;
  if (!map) return { none: true };
  const same = before !== undefined && sameShape(before, map);
  if (same && before.time === map.time && equal(before.cells, map.cells)) return undefined;
  const cells = same ? difference(map.cells, before.cells) : bytesOf(map.cells);
  const { width, height, resolution, origin } = map;
  return {
    time_ns: toWireTime(map.time),
    ...(same ? { delta: true } : { width, height, resolution, x: origin.x, y: origin.y }),
    cells: (await deflated(cells)).toString('base64'),
  };
}

async function deflated(cells: Uint8Array): Promise<Buffer> {
  const options = { level: 6 };
  return cells.length <= AT_ONCE_CELLS ? deflateRawSync(cells, options) : await deflate(cells, options);
}

/** Throws `replay.diverged` for a record of another format. */
export function decodeMap(memory: ObservedMemory, value: Plain | undefined): MapSnapshot | undefined {
  if (value === undefined) return memory.map;
  if (value['none'] === true) {
    memory.map = undefined;
    return undefined;
  }
  const before = memory.map;
  const delta = value['delta'] === true;
  if (delta && !before) throw damaged('a map that builds on none');
  const shape = delta
    ? { width: before!.width, height: before!.height, resolution: before!.resolution, origin: before!.origin }
    : {
        width: Number(value['width']),
        height: Number(value['height']),
        resolution: Number(value['resolution']),
        origin: { x: Number(value['x']), y: Number(value['y']) },
      };
  const size = shape.width * shape.height;
  if (!Number.isInteger(size) || size < 0 || size > LIMITS.MAP_CELLS_MAX) throw damaged('a map of no size');
  const raw = inflateRawSync(Buffer.from(String(value['cells']), 'base64'), {
    maxOutputLength: Math.max(1, size),
  });
  if (raw.length !== size) throw damaged(`${raw.length} cells, ${size} expected`);
  const cells = new Int8Array(size);
  for (let i = 0; i < size; i++) cells[i] = delta ? raw[i]! + before!.cells[i]! : raw[i]!;
  memory.map = { time: BigInt(String(value['time_ns'])), ...shape, cells };
  // The reader of a map may write into it; the next difference is to what was recorded.
  return { ...memory.map, cells: cells.slice() };
}

function sameShape(a: MapSnapshot, b: MapSnapshot): boolean {
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.resolution === b.resolution &&
    a.origin.x === b.origin.x &&
    a.origin.y === b.origin.y
  );
}

function bytesOf(cells: Int8Array): Uint8Array {
  return new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
}

function equal(a: Int8Array, b: Int8Array): boolean {
  return Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

/** Modulo 256, which the sum undoes. */
function difference(now: Int8Array, before: Int8Array): Uint8Array {
  const cells = new Uint8Array(now.length);
  for (let i = 0; i < now.length; i++) cells[i] = now[i]! - before[i]!;
  return cells;
}

function damaged(message: string): EdgeError {
  return new EdgeError('replay.diverged', { operation: 'read map', subject: 'robot.observed', message });
}
