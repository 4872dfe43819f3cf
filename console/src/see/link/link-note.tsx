import type { LinkState } from './live-link.ts';

/** Whether what a page shows is of now. */
export function LinkNote({ view }: { view: LinkState }) {
  const { state, reason, notice } = view;
  const [text, look] =
    state === 'live'
      ? ['live', 'ok']
      : state === 'lost'
        ? [`as last seen: ${reason}`, 'bad']
        : state === 'connecting'
          ? ['connecting', '']
          : ['paused while the page is hidden', ''];
  return (
    <p className="see-link" role="status">
      <span className={look}>{text}</span>
      {state === 'live' && notice !== '' && <span className="soft"> {notice}</span>}
    </p>
  );
}
