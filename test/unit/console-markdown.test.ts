import { readdirSync, readFileSync } from 'node:fs';
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, it } from 'vitest';
import { Markdown } from '../../console/src/lib/markdown.ts';

/** Words of agents in the console: a model, or what it read, may write anything. */
const shown = (text: string) => renderToStaticMarkup(createElement(Markdown, { text }));

it('shows emphasis, lists, code, tables and links of an agent', () => {
  const html = shown(
    '# Found\n\n**locked** &mdash; `exit`\n\n- one\n- two\n\n[the run](#/runs/1)\n\n|a|b|\n|-|-|\n|1|2|',
  );
  for (const part of ['<strong>locked</strong>', '—', '<code>exit</code>', '<li>one</li>', '<td>1</td>'])
    expect(html).toContain(part);
  expect(html).toContain('href="#/runs/1"');
  expect(html).not.toContain('<h1');
});

it('makes no markup, no image and no script of what an agent writes', () => {
  const html = shown(
    [
      '<img src=x onerror="steal()"> <script>steal()</script> <iframe src="http://elsewhere"></iframe>',
      '![seen](http://elsewhere/x.png?secret)',
      '[here](javascript:steal()) [there](data:text/html,x) <javascript:steal()>',
      '<a href="javascript:steal()">x</a>',
    ].join('\n\n'),
  );
  expect(html).not.toMatch(/<(?:img|script|iframe|svg|style|object)\b/i);
  expect(html).not.toMatch(/(?:href|src)="(?:javascript|data)/i);
  expect(html).toContain('&lt;img src=x');
  expect(html).toContain('image: seen');
});

it('needs no markup made of text, which the policy of the pages forbids', () => {
  const folder = new URL('../../console/built/assets/', import.meta.url);
  const name = readdirSync(folder).find((one) => /^markdown.*\.js$/.test(one))!;
  expect(readFileSync(new URL(name, folder), 'utf8')).not.toMatch(/\.innerHTML\s*=/);
});
