/** Starts the console: first what must hold before anything is asked, then the pages. */
import { QueryClientProvider } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { shareConnections } from './lib/connections.ts';
import { takeLoginLink, watchLoginLink } from './lib/login-link.ts';
import { queries, watchVisibility } from './lib/polled.ts';
import { startTheme } from './lib/theme.ts';
import { watchLogOut } from './lib/token.ts';
import { startEvents, watchAbsence } from './live/event-book.ts';
import { App } from './shell/app.tsx';
import { FaultBox } from './shell/fault.tsx';
import { StopBar } from './shell/stop-bar.tsx';

// Before anything is asked without its token.
await takeLoginLink();
watchLoginLink();
watchLogOut();
watchVisibility();
watchAbsence();
shareConnections();
startTheme();
startEvents();
const show = (id: string, part: ReactNode) =>
  createRoot(document.getElementById(id)!).render(
    <QueryClientProvider client={queries}>{part}</QueryClientProvider>,
  );
// The stops have a root of their own: no fault of a page removes them.
show('stop-root', <StopBar />);
show(
  'root',
  <FaultBox>
    <App />
  </FaultBox>,
);
