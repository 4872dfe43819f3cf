import { type PointerEvent, useCallback, useEffect, useRef } from 'react';
import { moved, type Orbit, turned, zoomed } from './orbit.ts';

type Point = readonly [x: number, y: number];
/** Radians of a pixel. */
const TURN = 0.007;

/** One finger or the mouse turns; two fingers, Shift or another button move; two fingers apart and the wheel zoom. */
export function usePointers(
  element: { readonly current: HTMLElement | null },
  orbit: Orbit,
  onOrbit: (orbit: Orbit) => void,
) {
  const now = useRef(orbit);
  now.current = orbit;
  const change = useRef(onOrbit);
  change.current = onOrbit;
  const down = useRef(new Map<number, Point>());
  const show = useCallback((next: Orbit) => {
    // Several events come before the next render.
    now.current = next;
    change.current(next);
  }, []);
  useEffect(() => {
    const canvas = element.current;
    // React listens to wheels passively, and the page would scroll.
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      show(zoomed(now.current, Math.exp(-event.deltaY / 500)));
    };
    canvas?.addEventListener('wheel', wheel, { passive: false });
    return () => canvas?.removeEventListener('wheel', wheel);
  }, [element, show]);
  const end = (event: PointerEvent) => void down.current.delete(event.pointerId);
  return {
    onPointerDown: (event: PointerEvent<HTMLElement>) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      down.current.set(event.pointerId, [event.clientX, event.clientY]);
    },
    onPointerMove: (event: PointerEvent<HTMLElement>) => {
      const last = down.current.get(event.pointerId);
      if (!last) return;
      const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
      const other = [...down.current].find(([id]) => id !== event.pointerId)?.[1];
      down.current.set(event.pointerId, [event.clientX, event.clientY]);
      const metres = now.current.distance / Math.max(1, event.currentTarget.clientHeight);
      if (other) {
        const apart = ([x, y]: Point) => Math.hypot(x - other[0], y - other[1]);
        const by = apart([event.clientX, event.clientY]) / Math.max(1, apart(last));
        show(zoomed(moved(now.current, (-dx * metres) / 2, (dy * metres) / 2), by));
      } else if (event.shiftKey || event.buttons > 1) show(moved(now.current, -dx * metres, dy * metres));
      else show(turned(now.current, -dx * TURN, dy * TURN));
    },
    onPointerUp: end,
    onPointerCancel: end,
  };
}
