import { useRef, useState } from 'react';
import type { ConfigTaking } from '../../../contract/ports/config.ts';
import { useMayNot } from '../lib/me.ts';
import { CheckResult, isBad, stateText, useCheck } from './check-result.tsx';
import { lineAt } from './config-rows.ts';

const TEXT_MAX = 65_536;

/** A whole text is checked as the daemon would read it, compared with what is in force, and taken. */
export function CheckPanel({ file, taking }: { file: string | undefined; taking: ConfigTaking | undefined }) {
  const [text, setText] = useState('');
  const { state, check } = useCheck<string>((draft) => ({ text: draft }));
  const field = useRef<HTMLTextAreaElement>(null);
  const mayNot = useMayNot();
  const goTo = (line: number) => {
    const [from, to] = lineAt(text, line);
    field.current?.focus();
    field.current?.setSelectionRange(from, to);
  };
  const stale = state.at === 'done' && state.draft !== text;
  return (
    <section className="wide" aria-labelledby="config-check-title">
      <h2 id="config-check-title">Check a text</h2>
      <label htmlFor="config-text">A whole configuration, TOML. It is compared with what is in force.</label>
      <textarea
        id="config-text"
        ref={field}
        rows={12}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        maxLength={TEXT_MAX}
        value={text}
        aria-describedby="config-help"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && event.ctrlKey && mayNot === '') check(text);
        }}
      />
      <div className="row">
        <button
          type="button"
          className="allow"
          disabled={mayNot !== '' || state.at === 'asked'}
          onClick={() => check(text)}
        >
          Check
        </button>
        <span id="config-help" className="soft">
          Ctrl and Enter check it. {mayNot}
        </span>
      </div>
      <p id="config-state" role="status" className={isBad(state) ? 'bad' : ''}>
        {stateText(state)}
        {stale ? ' (of the text before the last change)' : ''}
      </p>
      {state.at === 'done' && (
        <CheckResult
          name="config"
          check={state.check}
          body={{ text: state.draft }}
          {...{ stale, goTo, file, taking }}
        />
      )}
    </section>
  );
}
