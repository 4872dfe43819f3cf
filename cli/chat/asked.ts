export type OpenApproval = { readonly approval_id: string; readonly subject: string };

/**
 * Approvals that wait. A bare y or n means the only one that waits; after one was answered elsewhere or expired, the
 * next bare word may have been meant for that one, so it counts for nothing. Pure.
 */
export class Asked {
  readonly #open = new Map<string, OpenApproval>();
  /** Answered, so that nothing opens them again. */
  readonly #closed = new Set<string>();
  #gone: OpenApproval | undefined;

  get open(): readonly OpenApproval[] {
    return [...this.#open.values()];
  }

  add(approval: OpenApproval): void {
    if (this.#closed.has(approval.approval_id)) return;
    this.#open.set(approval.approval_id, approval);
  }

  /** Answered by this person. */
  take(id: string): OpenApproval | undefined {
    const found = this.#open.get(id);
    this.#open.delete(id);
    return found;
  }

  /** The log has an answer. `live`: it came while the person could see the question. */
  lose(id: string, live: boolean): void {
    const found = this.#open.get(id);
    if (found && live) this.#gone = found;
    this.#closed.add(id);
    this.#open.delete(id);
  }

  /** Which one a word means, or why none. `name` is the start of an id. */
  meant(name: string): OpenApproval | string {
    const gone = this.#gone;
    this.#gone = undefined;
    const open = this.open;
    if (open.length === 0) return 'nothing waits for an approval';
    if (name !== '') {
      const fitting = open.filter(
        ({ approval_id }) => approval_id.startsWith(name) || approval_id.endsWith(name),
      );
      return fitting.length === 1 ? fitting[0]! : `no single approval that waits is called ${name}`;
    }
    if (open.length > 1)
      return `${open.length} approvals wait: add the last characters of the id, for example y ${tail(open[0]!)}`;
    if (gone)
      return `${gone.subject} no longer waits; say it again if you mean ${open[0]!.subject} (${tail(open[0]!)})`;
    return open[0]!;
  }
}

/** The end of an id: ids of the same time start alike. */
export function tail({ approval_id }: { readonly approval_id: string }): string {
  return approval_id.slice(-6);
}
