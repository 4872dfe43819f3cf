/** Starts the console: first what must hold before anything is asked, then the pages. */
import { QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { shareConnections } from './lib/connections.ts';
import { takeLoginLink } from './lib/login-link.ts';
import { queries, watchVisibility } from './lib/polled.ts';
import { startTheme } from './lib/theme.ts';
import { startEvents, watchAbsence } from './live/event-book.ts';
import { App } from './shell/app.tsx';

// Before anything is asked without its token.
await takeLoginLink();
watchVisibility();
watchAbsence();
shareConnections();
startTheme();
startEvents();
createRoot(document.getElementById('root')!).render(
  <QueryClientProvider client={queries}>
    <App />
  </QueryClientProvider>,
);
