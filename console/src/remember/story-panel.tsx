import { useEffect, useRef, useState } from 'react';
import { useMayNot } from '../lib/me.ts';
import { useEvery } from '../see/link/use-live.ts';
import { MARK_KINDS, type Mark, type MarkKind, markAt } from './marks.ts';
import type { Player } from './player.ts';
import { offsetText } from './time-words.ts';

const REFRESH_MS = 100;
/** What the list holds around the cursor: a long recording has thousands. */
const SHOWN = 400;

type StoryPanelProps = {
  readonly player: Player;
  readonly marks: readonly Mark[];
  readonly fault: string;
  readonly onRemove: (mark: Mark) => void;
};

/** What was decided, with the reason, in the order of the time; the last one before the cursor is marked. */
export function StoryPanel({ player, marks, fault, onRemove }: StoryPanelProps) {
  const [off, setOff] = useState<ReadonlySet<MarkKind>>(new Set());
  const wanted = marks.filter(({ kind }) => !off.has(kind));
  // A jump draws the page again at once; what is played moves it between.
  const now = markAt(wanted, player.timeS);
  const [, refresh] = useState(now);
  const mayNot = useMayNot();
  const box = useRef<HTMLOListElement>(null);
  useEvery(REFRESH_MS, () => refresh(markAt(wanted, player.timeS)));
  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows the cursor.
  useEffect(() => {
    const list = box.current;
    const row = list?.querySelector<HTMLElement>('[aria-current]');
    // A person who reads elsewhere in the list is not moved.
    if (!list || !row || list.contains(document.activeElement) || list.matches(':hover')) return;
    list.scrollTop = row.offsetTop - list.offsetTop - list.clientHeight / 3;
  }, [now]);
  const first = Math.max(0, Math.min(now - SHOWN / 2, wanted.length - SHOWN));
  const turn = (kind: MarkKind, on: boolean) => {
    const next = new Set(off);
    if (on) next.delete(kind);
    else next.add(kind);
    setOff(next);
  };
  return (
    <section className="story-panel" aria-labelledby="bag-story-title">
      <h2 id="bag-story-title">What was decided</h2>
      <div className="bar">
        {MARK_KINDS.filter((kind) => marks.some((mark) => mark.kind === kind)).map((kind) => (
          <label key={kind}>
            <input
              type="checkbox"
              checked={!off.has(kind)}
              onChange={(event) => turn(kind, event.target.checked)}
            />{' '}
            {kind}
          </label>
        ))}
      </div>
      {fault !== '' && <p className="bad">{fault}</p>}
      {fault === '' && marks.length === 0 && <p>This recording holds no decisions.</p>}
      <ol ref={box} className="marks scroll" aria-label="what was decided">
        {wanted.slice(first, first + SHOWN).map((mark, i) => {
          const { key, kind, timeS, endS, text, why, runId } = mark;
          return (
            <li key={key} className={`row-${kind}`} aria-current={first + i === now ? 'true' : undefined}>
              <button type="button" onClick={() => player.seek(timeS)}>
                <span className="figure">{offsetText(timeS - player.startS, 1)}</span> {text}
              </button>
              {endS !== undefined && <span className="soft"> {offsetText(endS - timeS, 1)}</span>}
              {why !== '' && <span className="why"> {why}</span>}
              {runId !== undefined && (
                <>
                  {' '}
                  <a href={`#/runs/${runId}`}>run</a>
                </>
              )}
              {kind === 'note' && mayNot === '' && (
                <button type="button" className="small" onClick={() => onRemove(mark)}>
                  remove
                </button>
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
