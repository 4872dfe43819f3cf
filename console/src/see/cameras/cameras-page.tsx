/** Cameras, live. The address of the page holds which ones. */
import { useEffect, useState } from 'react';
import { Panel } from '../../lib/facts.tsx';
import type { PageProps } from '../../pages.tsx';
import { LinkNote } from '../link/link-note.tsx';
import { useShownAddress } from '../link/use-address.ts';
import { useLink } from '../link/use-live.ts';
import '../see.css';
import { camerasOf, firstOf, namedCameras, SHOWN_MAX } from './camera-choice.ts';
import { CameraView } from './camera-view.tsx';

export default function CamerasPage({ argument }: PageProps) {
  const live = useLink();
  const [chosen, setChosen] = useState(() => namedCameras(argument));
  useEffect(() => setChosen(namedCameras(argument)), [argument]);
  useShownAddress(chosen ? `#/cameras/${chosen.join(',')}` : '#/cameras');
  const all = [...new Set([...camerasOf(live.channels), ...(chosen ?? [])])].sort();
  const shown = chosen ?? firstOf(live.channels);
  const turn = (topic: string, on: boolean) =>
    setChosen(on ? [...shown, topic].slice(0, SHOWN_MAX) : shown.filter((one) => one !== topic));
  return (
    <div className="page see" id="page-cameras">
      <section className="wide" aria-labelledby="cameras-title">
        <h2 id="cameras-title" tabIndex={-1}>
          Cameras
        </h2>
        <LinkNote view={live} />
        {live.state === 'live' && all.length === 0 && <p>The robot offers no images.</p>}
        <div className="cameras">
          {shown.map((topic) => (
            <CameraView key={topic} topic={topic} isLive={live.state === 'live'} />
          ))}
        </div>
      </section>
      {all.length > 0 && (
        <Panel title="Images" className="layers">
          <ul>
            {all.map((topic) => (
              <li key={topic}>
                <label>
                  <input
                    type="checkbox"
                    checked={shown.includes(topic)}
                    disabled={!shown.includes(topic) && shown.length >= SHOWN_MAX}
                    onChange={(event) => turn(topic, event.target.checked)}
                  />{' '}
                  {topic} <span className="soft">{live.channels.has(topic) ? '' : 'not offered now'}</span>
                </label>
              </li>
            ))}
          </ul>
        </Panel>
      )}
    </div>
  );
}
