/** Points of a sensor_msgs/PointCloud2, thinned. Pure. */
import type { Message } from '../link/sample.ts';

const POINTS_MAX = 20_000;
const FLOAT32 = 7;

type Field = { readonly name: string; readonly offset: number; readonly datatype: number };

/** x, y, z of every n-th point, so that at most 20,000 are left; undefined without such fields. */
export function cloudPoints(message: Message): Float32Array | undefined {
  const { fields, point_step, row_step, width, height, data, is_bigendian } = message as unknown as {
    readonly fields: readonly Field[];
    readonly point_step: number;
    readonly row_step: number;
    readonly width: number;
    readonly height: number;
    readonly data: Uint8Array;
    readonly is_bigendian: boolean;
  };
  const offsets = ['x', 'y', 'z'].map(
    (name) => fields.find((one) => one.name === name && one.datatype === FLOAT32)?.offset,
  );
  const [x, y, z] = offsets;
  if (x === undefined || y === undefined || z === undefined || !(point_step >= 12)) return undefined;
  if (Math.max(x, y, z) + 4 > point_step) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = width * height;
  const step = Math.max(1, Math.ceil(count / POINTS_MAX));
  const points: number[] = [];
  for (let i = 0; i < count; i += step) {
    const at = Math.floor(i / width) * row_step + (i % width) * point_step;
    if (at + point_step > data.byteLength) break;
    const point = [x, y, z].map((offset) => view.getFloat32(at + offset, !is_bigendian));
    if (point.every(Number.isFinite)) points.push(...point);
  }
  return Float32Array.from(points);
}
