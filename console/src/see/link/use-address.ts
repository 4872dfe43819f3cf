import { useEffect, useRef } from 'react';

const QUIET_MS = 250;

/**
 * Keeps what a page shows in its address, so that it can be linked and is there after a reload. A step back goes to the
 * page before, not to each change before. Browsers refuse many changes in a second, so only the last of them counts.
 */
export function useShownAddress(href: string): void {
  const first = useRef(href);
  useEffect(() => {
    // A page that was only opened keeps the address it was opened with.
    if (first.current === href) return;
    first.current = '';
    const timer = setTimeout(() => history.replaceState(null, '', href), QUIET_MS);
    return () => clearTimeout(timer);
  }, [href]);
}
