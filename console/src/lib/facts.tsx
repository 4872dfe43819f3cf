import type { ReactNode } from 'react';

/** A row of a list of facts: name, value, and a class (`ok`, `bad`) for its look. */
export type Fact = readonly [name: string, value: ReactNode, look?: string];

export function Facts({ id, rows, old = false }: { id?: string; rows: readonly Fact[]; old?: boolean }) {
  return (
    <dl id={id} className={old ? 'old' : ''}>
      {rows.map(([name, value, look]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className={look || undefined}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A titled box of a page. `id` names the box, `titleId` its heading. */
export function Panel(props: {
  title: string;
  id?: string;
  className?: string;
  hidden?: boolean;
  /** The first heading of a page takes the focus when a person goes there. */
  lead?: boolean;
  children: ReactNode;
}) {
  const { title, id, className, hidden, lead, children } = props;
  return (
    <section id={id} className={className} hidden={hidden} aria-label={title}>
      <h2 tabIndex={lead ? -1 : undefined}>{title}</h2>
      {children}
    </section>
  );
}
