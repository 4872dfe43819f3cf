import { toJson } from '../output.ts';
import type { ChatCore } from './core.ts';
import type { Shown } from './shown.ts';
import { clean, statusLine, textOf } from './text.ts';

/** Where a conversation is shown, and where its lines and Ctrl-C come from. */
export type Face = {
  show(shown: Shown): void;
  /** Gives the screen back. */
  close(): void;
};

/** A line of JSON for each thing shown. */
export function jsonFace(write: (text: string) => void): Face {
  return { show: (shown) => write(`${toJson(shown)}\n`), close: () => {} };
}

/** Lines of text; an answer grows in its line. `echo`: what the person typed is not on the screen already. */
export function linesFace(
  write: (text: string) => void,
  core: Pick<ChatCore, 'status'>,
  echo: boolean,
): Face {
  let open = false;
  let state = '';
  const line = (text: string) => {
    write(`${open ? '\n' : ''}${text}\n`);
    open = false;
  };
  return {
    show(shown) {
      if (shown.kind === 'token') {
        write(clean(shown.text));
        open = true;
      } else if (shown.kind === 'status') {
        const key = `${shown.state} ${shown.reason} ${shown.connected}`;
        if (key !== state) line(`[${statusLine(core.status)}]`);
        state = key;
      } else if (shown.kind === 'said' && shown.rest !== undefined) {
        write(`${clean(shown.rest)}\n`);
        open = false;
      } else if (shown.kind !== 'said' || shown.by !== 'you' || echo) line(textOf(shown) ?? '');
    },
    close() {
      if (open) write('\n');
    },
  };
}
