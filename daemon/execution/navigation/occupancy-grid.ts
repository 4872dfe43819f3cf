import type { MapSnapshot, Nanoseconds, Pose2d } from '../../../contract/core.ts';
import { emptyLayout, type GridLayout, grownLayout, moveCells } from './grid-layout.ts';
import { IntList } from './int-list.ts';
import { RAY_HIT, RAY_INVALID, type ScanPoints } from './scan-points.ts';

/**
 * Evidence per cell as scaled log-odds in one byte. A hit says much (something reflected), a pass says little
 * (thin walls are grazed by rays that end further along), so that walls thinner than a cell survive.
 */
const HIT = 30;
const PASS = -4;
const EVIDENCE_MAX = 100;
const EVIDENCE_MIN = -60;
/** Above it a cell is occupied: one hit in unknown space, three in space known to be free. */
const OCCUPIED_ABOVE = 20;
/** Below it a cell is free: two passes. */
const FREE_BELOW = -6;

/** An occupancy grid that grows with what is seen. Deterministic: integer evidence, fixed order of rays. */
export class OccupancyGrid {
  #layout: GridLayout;
  #evidence: Int8Array;
  /** The last scan that touched a cell: within one scan a cell is judged once and hits win over passes. */
  #touched: Int32Array;
  #scan = 0;
  readonly #appeared = new IntList();
  readonly #vanished = new IntList();

  constructor(resolution: number) {
    this.#layout = emptyLayout(resolution);
    this.#evidence = new Int8Array(this.#layout.width * this.#layout.height);
    this.#touched = new Int32Array(this.#evidence.length);
  }

  get layout(): GridLayout {
    return this.#layout;
  }

  /** Cells that became occupied, and that stopped being so, in the last `integrate`. */
  get appeared(): Int32Array {
    return this.#appeared.values;
  }
  get vanished(): Int32Array {
    return this.#vanished.values;
  }

  isOccupied(cell: number): boolean {
    return this.#evidence[cell]! > OCCUPIED_ABOVE;
  }

  isFree(cell: number): boolean {
    return this.#evidence[cell]! < FREE_BELOW;
  }

  evidence(cell: number): number {
    return this.#evidence[cell]!;
  }

  /** Adds a scan taken with `base_link` at `pose` in the map. */
  integrate(points: ScanPoints, pose: Pose2d): void {
    const c = Math.cos(pose.yaw);
    const s = Math.sin(pose.yaw);
    this.#grow(points, pose, c, s);
    this.#scan++;
    this.#appeared.clear();
    this.#vanished.clear();
    const at = this.#layout;
    const startX = (pose.x + c * points.sensorX - s * points.sensorY) / at.resolution - at.cellX;
    const startY = (pose.y + s * points.sensorX + c * points.sensorY) / at.resolution - at.cellY;
    for (let i = 0; i < points.count; i++) {
      if (points.kind[i] !== RAY_HIT) continue;
      const endX = (pose.x + c * points.x[i]! - s * points.y[i]!) / at.resolution - at.cellX;
      const endY = (pose.y + s * points.x[i]! + c * points.y[i]!) / at.resolution - at.cellY;
      this.#judge(Math.floor(endX), Math.floor(endY), HIT);
    }
    for (let i = 0; i < points.count; i++) {
      if (points.kind[i] === RAY_INVALID) continue;
      const endX = (pose.x + c * points.x[i]! - s * points.y[i]!) / at.resolution - at.cellX;
      const endY = (pose.y + s * points.x[i]! + c * points.y[i]!) / at.resolution - at.cellY;
      this.#clear(startX, startY, endX, endY);
    }
  }

  snapshot(time: Nanoseconds): MapSnapshot {
    const at = this.#layout;
    const cells = new Int8Array(this.#evidence.length);
    for (let i = 0; i < cells.length; i++) {
      const evidence = this.#evidence[i]!;
      cells[i] = evidence > OCCUPIED_ABOVE ? 100 : evidence < FREE_BELOW ? 0 : -1;
    }
    return {
      time,
      width: at.width,
      height: at.height,
      resolution: at.resolution,
      origin: { x: at.cellX * at.resolution, y: at.cellY * at.resolution },
      cells,
    };
  }

  #grow(points: ScanPoints, pose: Pose2d, c: number, s: number): void {
    let minX = pose.x;
    let maxX = pose.x;
    let minY = pose.y;
    let maxY = pose.y;
    for (let i = 0; i < points.count; i++) {
      if (points.kind[i] === RAY_INVALID) continue;
      const x = pose.x + c * points.x[i]! - s * points.y[i]!;
      const y = pose.y + s * points.x[i]! + c * points.y[i]!;
      if (x < minX) minX = x;
      else if (x > maxX) maxX = x;
      if (y < minY) minY = y;
      else if (y > maxY) maxY = y;
    }
    const to = grownLayout(this.#layout, minX, minY, maxX, maxY);
    if (to === this.#layout) return;
    this.#evidence = moveCells(this.#layout, this.#evidence, to, new Int8Array(to.width * to.height));
    this.#touched = new Int32Array(this.#evidence.length);
    this.#layout = to;
  }

  /** Passes along the ray up to, not including, the cell it ends in (Amanatides and Woo's traversal). */
  #clear(startX: number, startY: number, endX: number, endY: number): void {
    let column = Math.floor(startX);
    let row = Math.floor(startY);
    const lastColumn = Math.floor(endX);
    const lastRow = Math.floor(endY);
    const dx = endX - startX;
    const dy = endY - startY;
    const stepX = dx > 0 ? 1 : -1;
    const stepY = dy > 0 ? 1 : -1;
    const deltaX = dx === 0 ? Infinity : Math.abs(1 / dx);
    const deltaY = dy === 0 ? Infinity : Math.abs(1 / dy);
    let nextX = dx === 0 ? Infinity : (dx > 0 ? column + 1 - startX : startX - column) * deltaX;
    let nextY = dy === 0 ? Infinity : (dy > 0 ? row + 1 - startY : startY - row) * deltaY;
    let steps = Math.abs(lastColumn - column) + Math.abs(lastRow - row);
    for (; steps > 0; steps--) {
      this.#judge(column, row, PASS);
      if (nextX < nextY) {
        column += stepX;
        nextX += deltaX;
      } else {
        row += stepY;
        nextY += deltaY;
      }
    }
  }

  #judge(column: number, row: number, change: number): void {
    const at = this.#layout;
    if (column < 0 || row < 0 || column >= at.width || row >= at.height) return;
    const cell = row * at.width + column;
    if (this.#touched[cell] === this.#scan) return;
    this.#touched[cell] = this.#scan;
    const before = this.#evidence[cell]!;
    const after = Math.min(EVIDENCE_MAX, Math.max(EVIDENCE_MIN, before + change));
    this.#evidence[cell] = after;
    if (before <= OCCUPIED_ABOVE && after > OCCUPIED_ABOVE) this.#appeared.push(cell);
    else if (before > OCCUPIED_ABOVE && after <= OCCUPIED_ABOVE) this.#vanished.push(cell);
  }
}
