/** The map with what the robot sees and wants: scan, path, goal, footprint, zones, and where it was. */
import { useEffect, useState } from 'react';
import { call } from '../../lib/api.ts';
import { usePolled } from '../../lib/polled.ts';
import { useStatus } from '../../lib/status.ts';
import type { GridMap } from '../../lib/views.ts';
import type { PageProps } from '../../pages.tsx';
import { LinkNote } from '../link/link-note.tsx';
import { useShownAddress } from '../link/use-address.ts';
import { useLink } from '../link/use-live.ts';
import '../see.css';
import { layersOf } from './layers.ts';
import { mapArgumentOf, mapViewOf } from './map-address.ts';
import { MapBox } from './map-box.tsx';

const MAP_MS = 2_000;

/** Null: the robot makes no map itself. */
async function askMap(signal: AbortSignal): Promise<GridMap | null> {
  const response = await call('/v1/robot/map', { signal });
  return response.status === 200 ? ((await response.json()) as GridMap) : null;
}

export default function MapPage({ argument }: PageProps) {
  const [view, setView] = useState(() => mapViewOf(argument));
  useEffect(() => setView(mapViewOf(argument)), [argument]);
  const live = useLink();
  const hasGrid = layersOf(live.channels).some(({ kind }) => kind === 'grid');
  const own = usePolled('/v1/robot/map', MAP_MS, { ask: askMap, enabled: !hasGrid });
  const { data: status } = useStatus();
  const pose = status?.robot.available ? status.robot.pose : undefined;
  useShownAddress(`#/map/${mapArgumentOf(view)}`);
  return (
    <div className="page see" id="page-map">
      <MapBox
        {...{ view, channels: live.channels, isOld: live.state !== 'live' }}
        own={own.data && !hasGrid ? { map: own.data, pose } : undefined}
        onView={setView}
      >
        <LinkNote view={live} />
      </MapBox>
    </div>
  );
}
