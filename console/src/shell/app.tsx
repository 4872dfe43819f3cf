import { Suspense, useEffect, useRef } from 'react';
import { createPortal } from 'react-dom';
import { useAddress } from '../lib/address.ts';
import { useStatus } from '../lib/status.ts';
import { turnTheme, useDark } from '../lib/theme.ts';
import { forgetToken, tokenNow } from '../lib/token.ts';
import { PAGES } from '../pages.tsx';
import { Waiting } from '../waiting/waiting.tsx';
import { FaultBox } from './fault.tsx';
import { LinkState } from './link-state.tsx';
import { Login } from './login.tsx';

export function App() {
  const { name, argument } = useAddress();
  const shown = PAGES.find((page) => page.name === name) ?? PAGES[0];
  const Page = shown.page;
  const main = useRef<HTMLElement>(null);
  useHeadingFocus(main, `${name}/${argument}`);
  return (
    <>
      {createPortal(
        <>
          <RobotName />
          <LinkState />
        </>,
        document.getElementById('top')!,
      )}
      <nav aria-label="Pages">
        {PAGES.map((page) => (
          <a key={page.name} href={`#/${page.name}`} aria-current={page === shown ? 'page' : undefined}>
            {page.title}
          </a>
        ))}
        <Theme />
        <LogOut />
      </nav>
      <main ref={main}>
        <FaultBox>
          <Waiting />
        </FaultBox>
        <FaultBox key={shown.name}>
          <Suspense fallback={<p role="status">loading</p>}>
            <Page argument={argument} />
          </Suspense>
        </FaultBox>
      </main>
      <Login />
    </>
  );
}

function RobotName() {
  const { data } = useStatus();
  const name = data?.robot_id;
  useEffect(() => {
    if (name !== undefined) document.title = `${name} – Auraison Edge`;
  }, [name]);
  return <h1 id="robot">{name ?? 'Auraison Edge'}</h1>;
}

function Theme() {
  const dark = useDark();
  return (
    <button
      type="button"
      className="theme"
      onClick={turnTheme}
      title={dark ? 'light colours' : 'dark colours'}
    >
      <span aria-hidden="true">{dark ? '☀' : '☾'}</span>
      <span className="unseen">{dark ? 'Light colours' : 'Dark colours'}</span>
    </button>
  );
}

/** Forgets the token, on this device too. */
function LogOut() {
  // Drawn again when the status answers: then there is a token, or none is needed.
  useStatus();
  if (tokenNow() === '') return null;
  const leave = () => {
    forgetToken();
    location.reload();
  };
  return (
    <button type="button" className="theme" onClick={leave}>
      Log out
    </button>
  );
}

/** Who reads by ear hears where they are; the first page is not read out again at each load. */
function useHeadingFocus(main: { readonly current: HTMLElement | null }, address: string): void {
  const before = useRef(address);
  useEffect(() => {
    if (before.current === address) return;
    before.current = address;
    const focus = () => {
      const headings = main.current?.querySelectorAll<HTMLElement>('h2[tabindex="-1"]') ?? [];
      const heading = [...headings].find((one) => one.checkVisibility());
      heading?.focus();
      return heading !== undefined;
    };
    if (focus()) return;
    // A page that is loaded now has its heading later.
    const watch = new MutationObserver(() => focus() && watch.disconnect());
    watch.observe(main.current!, { childList: true, subtree: true });
    return () => watch.disconnect();
  }, [main, address]);
}
