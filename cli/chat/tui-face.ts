import { Container, Input, matchesKey, ProcessTerminal, Text, TuiMainScreen } from '@earendil-works/pi-tui';
import type { ChatCore } from './core.ts';
import type { Face } from './faces.ts';
import { clean, statusLine, textOf } from './text.ts';

/** Things on the screen; older ones stay in what the terminal scrolled away. */
const SHOWN_MAX = 1_000;

const dim = (text: string) =>
  text
    .split('\n')
    .map((line) => `\x1b[2m${line}\x1b[22m`)
    .join('\n');
const bold = (text: string) =>
  text
    .split('\n')
    .map((line) => `\x1b[1m${line}\x1b[22m`)
    .join('\n');

export type TuiInput = { readonly line: (text: string) => void; readonly interrupt: () => void };

/** The terminal: what was said above, the answer that grows, a line of status, and the line that is typed. */
export function tuiFace(core: ChatCore, { line, interrupt }: TuiInput): Face {
  const plain = Boolean(process.env['NO_COLOR']);
  const tui = new TuiMainScreen(new ProcessTerminal());
  const said = new Container();
  const draft = new Text('', 0, 0);
  const status = new Text('', 0, 0);
  const input = new Input();
  for (const part of [said, draft, status, input]) tui.addChild(part);
  input.onSubmit = (text) => {
    input.setValue('');
    line(text);
  };
  tui.addInputListener((data) => {
    if (matchesKey(data, 'ctrl+c')) interrupt();
    else if (matchesKey(data, 'ctrl+d') && input.getValue() === '') line('/quit');
    else return undefined;
    return { consume: true };
  });
  tui.setFocus(input);
  const refresh = () => {
    draft.setText(clean(core.draft));
    status.setText(plain ? `[${statusLine(core.status)}]` : dim(statusLine(core.status)));
    tui.requestRender();
  };
  tui.start();
  refresh();
  return {
    show(shown) {
      const text = textOf(shown);
      if (text !== undefined && text !== '') {
        const loud = ['approval', 'question', 'error', 'connection'].includes(shown.kind);
        const quiet = ['tool', 'result', 'note', 'session', 'approval_answered'].includes(shown.kind);
        said.addChild(new Text(plain ? text : loud ? bold(text) : quiet ? dim(text) : text, 0, 0));
        while (said.children.length > SHOWN_MAX) said.removeChild(said.children[0]!);
      }
      refresh();
    },
    close() {
      tui.renderNow();
      tui.stop();
    },
  };
}
