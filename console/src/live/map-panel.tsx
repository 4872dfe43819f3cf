import { useEffect, useRef, useState } from 'react';
import { call } from '../lib/api.ts';
import { usePolled } from '../lib/polled.ts';
import { useStatus } from '../lib/status.ts';
import { useDark } from '../lib/theme.ts';
import type { GridMap } from '../lib/views.ts';
import { drawMap } from './map-draw.ts';

const MAP_MS = 2000;

/** Null: there is no map. */
async function askMap(signal: AbortSignal): Promise<GridMap | null> {
  const response = await call('/v1/robot/map', { signal });
  if (response.status === 200) return (await response.json()) as GridMap;
  return null;
}

/** The occupancy map with the robot. `onlyDrawn`: a robot with an arm and no map shows no empty box. */
export function MapPanel({ onlyDrawn }: { onlyDrawn: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drawn, setDrawn] = useState(false);
  const { data: map, old } = usePolled('/v1/robot/map', MAP_MS, { ask: askMap });
  const { data: status } = useStatus();
  const pose = status?.robot.available ? status.robot.pose : undefined;
  const dark = useDark();
  useEffect(() => {
    setDrawn(map !== undefined && map !== null && drawMap(canvas.current!, map, pose, dark));
  }, [map, pose, dark]);
  return (
    <section id="map-panel" className="map" hidden={onlyDrawn && !drawn} aria-labelledby="map-title">
      <h2 id="map-title" tabIndex={-1}>
        Map
      </h2>
      <canvas
        id="map"
        ref={canvas}
        width={640}
        height={640}
        className={old ? 'old' : ''}
        role="img"
        aria-label="occupancy map with the robot"
      />
      <p id="map-note">
        {drawn && map ? `${map.width} × ${map.height} cells of ${map.resolution} m` : 'no map yet'}
      </p>
    </section>
  );
}
