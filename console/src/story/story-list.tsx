import { lazy, Suspense, useEffect, useState } from 'react';
import { call } from '../lib/api.ts';
import { clockTime, duration } from '../lib/format.ts';
import type { ImageRef, Item } from './story.ts';

const Markdown = lazy(async () => ({ default: (await import('../lib/markdown.ts')).Markdown }));

/** What an agent said. Plain until the code for more is loaded. */
export function Words({ text }: { text: string }) {
  return (
    <Suspense fallback={<p className="words">{text}</p>}>
      <Markdown text={text} />
    </Suspense>
  );
}

/** What a run said, did and decided, oldest first. */
export function StoryList({ runId, items }: { runId: string; items: readonly Item[] }) {
  return items.map((item) => <StoryItem key={item.key} runId={runId} item={item} />);
}

function StoryItem({ runId, item }: { runId: string; item: Item }) {
  const time = <time>{clockTime(item.ts)}</time>;
  if (item.kind === 'said')
    return (
      <li className={item.toAgent ? 'said mine' : 'said'}>
        <p className="who">
          {item.by} {time}
        </p>
        {item.toAgent ? <p className="words">{item.text}</p> : <Words text={item.text} />}
      </li>
    );
  if (item.kind === 'fact')
    return (
      <li className={`fact ${item.look}`}>
        {time} {item.what}
        {item.why && <span className="why"> — {item.why}</span>}
      </li>
    );
  const state = item.ok === undefined ? 'running' : item.ok ? 'done' : 'failed';
  const took = item.durationMs === undefined ? '' : ` in ${duration(item.durationMs)}`;
  return (
    <li className={`tool ${state}`}>
      <details open={item.ok === false}>
        <summary>
          <span aria-hidden="true">{{ running: '◌', done: '✓', failed: '✗' }[state]}</span> {item.tool}{' '}
          <span className="why">{`${state}${took}`}</span>
        </summary>
        <code>{item.args}</code>
        {item.result !== undefined && <code className={item.ok ? '' : 'bad'}>{item.result}</code>}
      </details>
      {item.images.map((image) => (
        <Picture key={image.sha256} runId={runId} image={image} name={item.tool} />
      ))}
    </li>
  );
}

/** An image of the run. It needs the token, so it is asked for and shown as a blob. */
function Picture({ runId, image, name }: { runId: string; image: ImageRef; name: string }) {
  const [shown, setShown] = useState<{ url?: string; fault?: string }>({});
  useEffect(() => {
    const gone = new AbortController();
    let url = '';
    call(`/v1/runs/${encodeURIComponent(runId)}/images/${image.sha256}`, { signal: gone.signal })
      .then(async (response) => {
        if (!response.ok) throw new Error(response.status === 404 ? 'it is gone' : `${response.status}`);
        const blob = await response.blob();
        if (gone.signal.aborted) return;
        url = URL.createObjectURL(blob);
        setShown({ url });
      })
      .catch((error: Error) => {
        if (!gone.signal.aborted) setShown({ fault: error.message });
      });
    return () => {
      gone.abort();
      if (url !== '') URL.revokeObjectURL(url);
    };
  }, [runId, image.sha256]);
  if (shown.fault) return <p className="why">{`no image: ${shown.fault}`}</p>;
  return shown.url ? (
    <img src={shown.url} alt={`seen by ${name}`} />
  ) : (
    <p className="why">reading the image</p>
  );
}
