/** The pages of the console, in the order of the navigation. A page that few need at once is loaded when it is shown. */
import { type ComponentType, lazy } from 'react';
import { LivePage } from './live/live-page.tsx';

export type PageProps = {
  /** The rest of the address: `#/runs/ID` is page `runs` with `ID`. */
  readonly argument: string;
};

export type PageEntry = {
  /** Its address: `#/name`. */
  readonly name: string;
  /** Its word in the navigation. */
  readonly title: string;
  readonly page: ComponentType<PageProps>;
};

const chat = lazy(() => import('./chat/chat-page.tsx'));
const drive = lazy(() => import('./drive/drive-page.tsx'));
const cameras = lazy(() => import('./see/cameras/cameras-page.tsx'));
const plots = lazy(() => import('./see/plots/plots-page.tsx'));
const map = lazy(() => import('./see/map/map-page.tsx'));
const space = lazy(() => import('./see/space/space-page.tsx'));
const topics = lazy(() => import('./see/topics/topics-page.tsx'));
const recordings = lazy(() => import('./remember/recordings-page.tsx'));
const compare = lazy(() => import('./compare/compare-page.tsx'));
const sql = lazy(() => import('./sql/sql-page.tsx'));
const routes = lazy(() => import('./routes/routes-page.tsx'));
const config = lazy(() => import('./config/config-page.tsx'));
const rules = lazy(() => import('./rules/rules-page.tsx'));
const runs = lazy(() => import('./runs/runs-page.tsx'));

/** The first is shown for an address that no page has. */
export const PAGES: readonly [PageEntry, ...PageEntry[]] = [
  { name: '', title: 'Live', page: LivePage },
  { name: 'chat', title: 'Chat', page: chat },
  { name: 'drive', title: 'Drive', page: drive },
  { name: 'map', title: 'Map', page: map },
  { name: '3d', title: '3D', page: space },
  { name: 'plots', title: 'Plots', page: plots },
  { name: 'cameras', title: 'Cameras', page: cameras },
  { name: 'topics', title: 'Topics', page: topics },
  { name: 'recordings', title: 'Recordings', page: recordings },
  { name: 'runs', title: 'Runs', page: runs },
  { name: 'compare', title: 'Compare', page: compare },
  { name: 'sql', title: 'SQL', page: sql },
  { name: 'routes', title: 'Routes', page: routes },
  { name: 'rules', title: 'Rules', page: rules },
  { name: 'config', title: 'Config', page: config },
];
