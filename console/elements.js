/** Small helpers of all pages. Text goes in by `textContent`, never as markup. */

const SVG = 'http://www.w3.org/2000/svg';

export const at = (id) => document.getElementById(id);

export function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** One SVG element with attributes; style attributes are not allowed by the policy of this page, classes are. */
export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

export function link(text, href) {
  const made = element('a', text);
  made.href = href;
  return made;
}

/** Rows of a definition list; a text may also be a link. What stays is left alone: no focus is lost. */
export function fill(list, rows) {
  const terms = [...list.querySelectorAll('dt')].map((term) => term.textContent);
  if (terms.length !== rows.length || rows.some(([term], i) => term !== terms[i]))
    list.replaceChildren(...rows.flatMap(([term]) => [element('dt', term), element('dd')]));
  const told = list.querySelectorAll('dd');
  rows.forEach(([, text, className], i) => {
    if (typeof text === 'string') say(told[i], text, className);
    else if (told[i].firstElementChild?.href !== text.href) told[i].replaceChildren(text);
  });
}

/** Writes only what changed: a person who selects a cell, and a screen reader, are not disturbed. */
export function say(cell, text, className = '') {
  if (cell.textContent !== text || cell.childElementCount > 0) cell.textContent = text;
  if (cell.className !== className) cell.className = className;
}

export const number = (value, digits) => (typeof value === 'number' ? value.toFixed(digits) : '–');
export const count = (value) => (typeof value === 'number' ? value.toLocaleString() : '–');

export function bytes(value) {
  if (typeof value !== 'number') return '–';
  const units = ['B', 'KB', 'MB', 'GB'];
  let unit = 0;
  let left = value;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${left.toFixed(unit === 0 || left >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function duration(ms) {
  if (typeof ms !== 'number') return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

export const timeOf = (ns) => new Date(Number(BigInt(ns) / 1000000n));
