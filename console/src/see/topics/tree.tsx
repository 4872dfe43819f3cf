import { hrefOf } from '../plots/plot-address.ts';

/** What a tree shows of one list at most. */
const ITEMS_MAX = 50;
const TEXT_MAX = 500;
const DEPTH_OPEN = 4;

/** A message as a tree. Numbers are links to their plot. */
export function Tree({ topic, value }: { topic: string; value: object }) {
  return (
    <ul className="tree">
      {Object.entries(value).map(([key, part]) => (
        <Branch key={key} name={key} path={`${topic}.${key}`} value={part} depth={1} />
      ))}
    </ul>
  );
}

type BranchProps = {
  readonly name: string;
  readonly path: string;
  readonly value: unknown;
  readonly depth: number;
};

function Branch({ name, path, value, depth }: BranchProps) {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return (
      <li>
        <span className="soft">{name}</span>{' '}
        <a className="figure" href={hrefOf({ charts: [[path]], windowS: 30 })} title={`plot ${path}`}>
          {String(value)}
        </a>
      </li>
    );
  if (typeof value !== 'object' || value === null) {
    const text = String(value);
    return (
      <li>
        <span className="soft">{name}</span>{' '}
        {text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (${text.length} characters)` : text}
      </li>
    );
  }
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  const size = isList ? (value as ArrayLike<unknown>).length : Object.keys(value).length;
  const parts = isList
    ? Array.from({ length: Math.min(size, ITEMS_MAX) }, (_, i) => {
        const part = (value as ArrayLike<unknown>)[i];
        return { name: `[${i}]`, path: `${path}[${i}]`, value: part };
      })
    : Object.entries(value).map(([key, part]) => ({ name: key, path: `${path}.${key}`, value: part }));
  if (size === 0)
    return (
      <li>
        <span className="soft">{name}</span> empty
      </li>
    );
  return (
    <li>
      <details open={depth < DEPTH_OPEN && (!isList || size <= 8)}>
        <summary>
          {name} {isList && <span className="soft">{size} elements</span>}
        </summary>
        <ul>
          {parts.map((part) => (
            <Branch key={part.name} {...part} depth={depth + 1} />
          ))}
          {isList && size > ITEMS_MAX && <li className="soft">… {size - ITEMS_MAX} more</li>}
        </ul>
      </details>
    </li>
  );
}
