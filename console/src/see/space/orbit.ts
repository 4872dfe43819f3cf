/** A camera that turns around a point, z up. Angles in radians, lengths in metres. Pure. */
import type { Vec } from './space-frames.ts';

export type Orbit = {
  readonly target: Vec;
  /** From x to y: where the camera stands, seen from the target. */
  readonly azimuth: number;
  /** Above the horizon. */
  readonly elevation: number;
  readonly distance: number;
};

export const FIRST: Orbit = { target: [0, 0, 0], azimuth: -2.4, elevation: 0.6, distance: 6 };
const LOWEST = -1.5;
const HIGHEST = 1.55;
const within = (least: number, value: number, most: number) => Math.min(most, Math.max(least, value));

export function turned(orbit: Orbit, azimuth: number, elevation: number): Orbit {
  return {
    ...orbit,
    azimuth: orbit.azimuth + azimuth,
    elevation: within(LOWEST, orbit.elevation + elevation, HIGHEST),
  };
}

export function zoomed(orbit: Orbit, by: number): Orbit {
  return { ...orbit, distance: within(0.1, orbit.distance / by, 500) };
}

/** Right and up as the screen has them, metres at the target. */
export function moved(orbit: Orbit, right: number, up: number): Orbit {
  const { azimuth, elevation, target } = orbit;
  const [sa, ca, se, ce] = [Math.sin(azimuth), Math.cos(azimuth), Math.sin(elevation), Math.cos(elevation)];
  const [x, y, z] = target;
  return {
    ...orbit,
    target: [x - sa * right - ca * se * up, y + ca * right - sa * se * up, z + ce * up],
  };
}

export function eyeOf({ target: [x, y, z], azimuth, elevation, distance }: Orbit): Vec {
  const flat = distance * Math.cos(elevation);
  return [x + flat * Math.cos(azimuth), y + flat * Math.sin(azimuth), z + distance * Math.sin(elevation)];
}

/** As the address of the page has it: `#/3d/X,Y,Z,AZIMUTH,ELEVATION,DISTANCE`; undefined: what it holds is no view. */
export function orbitOf(argument: string): Orbit | undefined {
  const parts = argument.split(',').map(Number);
  if (parts.length !== 6 || !parts.every(Number.isFinite)) return undefined;
  const [x, y, z, azimuth, elevation, distance] = parts as [number, number, number, number, number, number];
  if (!(distance > 0)) return undefined;
  return zoomed(turned({ target: [x, y, z], azimuth: 0, elevation: 0, distance }, azimuth, elevation), 1);
}

export function argumentOf({ target, azimuth, elevation, distance }: Orbit): string {
  return [...target, azimuth, elevation, distance].map((one) => Number(one.toPrecision(4))).join(',');
}
