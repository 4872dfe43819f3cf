import type { ConfigEdit, ConfigTaking } from '../../../contract/ports/config.ts';
import { useMayNot } from '../lib/me.ts';
import { CheckResult, isBad, stateText, useCheck } from './check-result.tsx';

export type ChangesProps = {
  readonly edits: readonly ConfigEdit[];
  readonly onEdits: (edits: readonly ConfigEdit[]) => void;
  readonly file: string | undefined;
  readonly taking: ConfigTaking | undefined;
};

/** Single keys that a person changes: checked together, and taken. */
export function ChangesPanel({ edits, onEdits, file, taking }: ChangesProps) {
  const { state, check, forget } = useCheck<readonly ConfigEdit[]>((set) => ({ set }));
  const mayNot = useMayNot();
  if (edits.length === 0) return null;
  const stale = state.at === 'done' && state.draft !== edits;
  const change = (key: string, edit?: ConfigEdit) =>
    onEdits(edits.flatMap((one) => (one.key === key ? (edit ? [edit] : []) : [one])));
  return (
    <section className="wide" aria-labelledby="config-changes-title">
      <h2 id="config-changes-title">Changes</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (mayNot === '') check(edits);
        }}
      >
        <ul id="config-changes" className="config-changes">
          {edits.map(({ key, value }) => (
            <li key={key}>
              <label htmlFor={`config-edit-${key}`}>
                <code>{key}</code>
              </label>
              <input
                id={`config-edit-${key}`}
                className="config-edit"
                value={value ?? ''}
                placeholder="the default"
                spellCheck={false}
                autoCapitalize="off"
                autoComplete="off"
                // biome-ignore lint/a11y/noAutofocus: a person just asked for this field.
                autoFocus
                onChange={({ target }) =>
                  change(key, target.value === '' ? { key } : { key, value: target.value })
                }
              />
              <button
                type="button"
                className="small"
                onClick={() => change(key)}
                aria-label={`leave ${key} as it is`}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
        <div className="row">
          <button type="submit" className="allow" disabled={mayNot !== '' || state.at === 'asked'}>
            Check the changes
          </button>
          <span className="soft">Values as in TOML: texts in quotes. Empty: the default. {mayNot}</span>
        </div>
      </form>
      <p id="config-changes-state" role="status" className={isBad(state) ? 'bad' : ''}>
        {stateText(state)}
        {stale ? ' (before the last change)' : ''}
      </p>
      {state.at === 'done' && (
        <CheckResult
          name="config-changes"
          check={state.check}
          body={{ set: state.draft }}
          onTaken={() => {
            forget();
            onEdits([]);
          }}
          {...{ stale, file, taking }}
        />
      )}
    </section>
  );
}
