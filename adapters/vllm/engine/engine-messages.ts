/** Messages between the cell and the host of its engine. */
export type HostOrder =
  | {
      readonly kind: 'start';
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      /** From SIGTERM to SIGKILL, milliseconds. */
      readonly stopMs: number;
    }
  | { readonly kind: 'stop' };

export type HostNews =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'exit'; readonly reason: string };
