/** Which page of the console is shown: the part of the address behind `#`, so that it can be linked and gone back to. */
import { at } from './elements.js';

const pages = new Map();

/** What the address asks for: `#/runs/ID` is page `runs` with `ID`. An unknown address is the first page. */
export function shown() {
  const [name = '', argument = ''] = location.hash.replace(/^#\/?/, '').split('/');
  return pages.has(name) ? { name, argument } : { name: 'live', argument: '' };
}

/** `show(argument)` is called when the address goes there. */
export function addPage(name, show = () => {}) {
  pages.set(name, show);
}

export function startPages() {
  window.addEventListener('hashchange', () => turn(true));
  turn(false);
}

function turn(byPerson) {
  const { name, argument } = shown();
  for (const one of pages.keys()) at(`page-${one}`).hidden = one !== name;
  for (const anchor of document.querySelectorAll('nav a')) {
    if (anchor.dataset.page === name) anchor.setAttribute('aria-current', 'page');
    else anchor.removeAttribute('aria-current');
  }
  pages.get(name)(argument);
  // Who reads by ear hears where they are; the first page is not read out again at each load.
  if (byPerson) headingOf(name)?.focus();
}

const headingOf = (name) =>
  [...at(`page-${name}`).querySelectorAll('h2')].find((heading) => heading.checkVisibility());
