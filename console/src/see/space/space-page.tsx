/** The robot in space: its description moved by /tf and joints, and what it sees and wants. */
import { useState } from 'react';
import type { PageProps } from '../../pages.tsx';
import { LinkNote } from '../link/link-note.tsx';
import { useShownAddress } from '../link/use-address.ts';
import { useLink } from '../link/use-live.ts';
import '../see.css';
import { argumentOf, FIRST, orbitOf } from './orbit.ts';
import { SpaceBox } from './space-box.tsx';
import './space.css';

export default function SpacePage({ argument }: PageProps) {
  const [orbit, setOrbit] = useState(() => orbitOf(argument) ?? FIRST);
  const live = useLink();
  useShownAddress(`#/3d/${argumentOf(orbit)}`);
  return (
    <div className="page see" id="page-3d">
      <SpaceBox
        channels={live.channels}
        isOld={live.state !== 'live'}
        orbit={orbit}
        onOrbit={setOrbit}
        note={<LinkNote view={live} />}
      />
    </div>
  );
}
