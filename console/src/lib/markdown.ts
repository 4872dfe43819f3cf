/** Markdown of an agent as elements of React. Without JSX, so that it is tested in Node. */
import Markdown_ from 'markdown-to-jsx/react';
import { createElement, type ReactNode } from 'react';

/** Addresses that a link of an agent may open. Others stay text. */
const OPENS = /^(?:https?:\/\/|#\/)/i;

/**
 * HTML in the text stays text, and no image is loaded: an address of a model could carry away what the model knows.
 */
export function Markdown({ text }: { text: string }): ReactNode {
  return createElement(
    'div',
    { className: 'markdown' },
    createElement(Markdown_, { options: OPTIONS }, text),
  );
}

type Part = { readonly children?: ReactNode };

function Link({ href, children }: Part & { readonly href?: string }): ReactNode {
  if (href === undefined || !OPENS.test(href)) return createElement('span', {}, children);
  const elsewhere = href.startsWith('#') ? {} : { target: '_blank' };
  return createElement('a', { href, rel: 'noreferrer noopener', ...elsewhere }, children);
}

const NamedImage = ({ alt = '' }: { readonly alt?: string }): ReactNode =>
  createElement('span', { className: 'why' }, `image: ${alt}`);
/** A page has headings of its own. */
const Heading = ({ children }: Part): ReactNode =>
  createElement('p', {}, createElement('strong', {}, children));
const OPTIONS = {
  ...{ disableParsingRawHTML: true, forceBlock: true },
  overrides: {
    ...{ a: Link, img: NamedImage },
    ...{ h1: Heading, h2: Heading, h3: Heading, h4: Heading, h5: Heading, h6: Heading },
  },
} as const;
