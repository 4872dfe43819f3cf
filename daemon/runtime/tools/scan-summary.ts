/** What a summary is made of: a scan as in sensor_msgs/LaserScan; angles in radians, ranges in metres. */
export type Rays = {
  readonly angle_min: number;
  readonly angle_increment: number;
  readonly range_min: number;
  readonly range_max: number;
  readonly ranges: Float32Array;
};

export type Sector = {
  /** Middle of the sector, -pi to pi, counter-clockwise from straight ahead, in the frame of the scanner. */
  readonly bearing_rad: number;
  readonly width_rad: number;
  /** Nearest thing in it, metres; null where nothing is within range, or nothing is known. */
  readonly nearest_m: number | null;
  /** Where that is, radians; null as above. */
  readonly at_rad: number | null;
  /** `clear`: rays went out to `range_max` and met nothing; `blind`: no ray of it has a value. */
  readonly view: 'hit' | 'clear' | 'blind';
};

type Found = { nearest: number; at: number; clear: number };

/**
 * A scan as a ring of sectors. By REP-117: `Infinity` and what is beyond `range_max` is clear, `-Infinity` is
 * nearer than the scanner can measure (given as `range_min`), NaN and zero say nothing. A sector without a ray that
 * says something is blind, which is not the same as free.
 */
export function scanSectors(scan: Rays, count: number): readonly Sector[] {
  const width = (2 * Math.PI) / count;
  const found: Found[] = Array.from({ length: count }, () => ({ nearest: Infinity, at: 0, clear: 0 }));
  for (let ray = 0; ray < scan.ranges.length; ray++) {
    const angle = scan.angle_min + ray * scan.angle_increment;
    if (!Number.isFinite(angle)) continue;
    // The first sector is centred straight ahead.
    const sector = found[((Math.floor(angle / width + 0.5) % count) + count) % count]!;
    const range = scan.ranges[ray]!;
    if (range === Infinity || range > scan.range_max) sector.clear += 1;
    else if (range === -Infinity) near(sector, scan.range_min, angle);
    else if (range > 0 && range >= scan.range_min) near(sector, range, angle);
  }
  return found.map(({ nearest, at, clear }, index) => ({
    bearing_rad: round(turn(index * width)),
    width_rad: round(width),
    nearest_m: nearest === Infinity ? null : round(nearest),
    at_rad: nearest === Infinity ? null : round(turn(at)),
    view: nearest === Infinity ? (clear > 0 ? 'clear' : 'blind') : 'hit',
  }));
}

function near(sector: Found, range: number, angle: number): void {
  if (range >= sector.nearest) return;
  sector.nearest = range;
  sector.at = angle;
}

function turn(angle: number): number {
  return Math.atan2(Math.sin(angle), Math.cos(angle));
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
