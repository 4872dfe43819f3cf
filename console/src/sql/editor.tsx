import { type KeyboardEvent, useRef, useState } from 'react';
import { flushSync } from 'react-dom';
import { type Catalogue, type Words, wordsAt } from './words.ts';

type EditorProps = {
  readonly text: string;
  readonly catalogue: Catalogue;
  readonly onText: (text: string) => void;
  readonly onRun: () => void;
};

/** A field for a statement, with completion. Ctrl and Enter run it. Arrows choose in the list, Enter or Tab takes. */
export function Editor({ text, catalogue, onText, onRun }: EditorProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [words, setWords] = useState<Words>();
  const [chosen, setChosen] = useState(-1);
  const look = (now: string, at: number) => {
    setWords(wordsAt(now, at, catalogue));
    setChosen(-1);
  };
  const take = (choice: string) => {
    if (!words) return;
    // The field has the word before the next key comes.
    flushSync(() => {
      onText(text.slice(0, words.from) + choice + text.slice(words.to));
      setWords(undefined);
    });
    const at = words.from + choice.length;
    field.current?.focus();
    field.current?.setSelectionRange(at, at);
  };
  const key = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      setWords(undefined);
      onRun();
    } else if (event.key === ' ' && event.ctrlKey) {
      if (words) setWords(undefined);
      else look(text, event.currentTarget.selectionStart);
    } else if (words && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      const count = words.choices.length;
      setChosen(chosen < 0 && step < 0 ? count - 1 : (chosen + step + count) % count);
    } else if (words && chosen >= 0 && (event.key === 'Enter' || event.key === 'Tab'))
      take(words.choices[chosen]!);
    else {
      // Any other key moves the cursor or writes; not Escape: twice it is the emergency stop.
      if (event.key.startsWith('Arrow') || event.key === 'Enter') setWords(undefined);
      return;
    }
    event.preventDefault();
  };
  return (
    <div className="sql-editor">
      <label htmlFor="sql-text">Statement</label>
      <textarea
        id="sql-text"
        ref={field}
        rows={6}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        value={text}
        maxLength={60_000}
        aria-autocomplete="list"
        aria-controls="sql-words"
        aria-describedby="sql-help"
        aria-activedescendant={chosen >= 0 ? `sql-word-${chosen}` : undefined}
        onChange={(event) => {
          onText(event.target.value);
          look(event.target.value, event.target.selectionStart);
        }}
        onBlur={() => setWords(undefined)}
        onKeyDown={key}
      />
      <div
        id="sql-words"
        role="listbox"
        aria-label="words that fit"
        aria-orientation="horizontal"
        className={words ? '' : 'none'}
      >
        {words?.choices.map((choice, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys of the field choose.
          <div
            key={choice}
            id={`sql-word-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === chosen}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(choice)}
          >
            {choice}
          </div>
        ))}
      </div>
    </div>
  );
}
