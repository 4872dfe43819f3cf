import { canonicalJson } from '../../../contract/index.ts';
import type { CallView } from '../runs/run-view.ts';

/** What the log has about a call that a phase makes again after a restart. */
export type Recalled =
  /** The call was answered before the restart. The answer counts, and nothing happens again. */
  | { readonly kind: 'answered'; readonly call: CallView }
  /** The call was interrupted and may be repeated under its old id. */
  | { readonly kind: 'open'; readonly call: CallView }
  /** A new decision. */
  | { readonly kind: 'new' };

/**
 * The calls that a phase had made before a restart, in order. The phase is entered again and makes them again. Each
 * call is matched with its record as long as tool and arguments are the same. The first difference ends this: from
 * there on the phase makes new decisions.
 */
export class ToolJournal {
  #rest: CallView[];

  constructor(calls: readonly CallView[]) {
    this.#rest = [...calls];
  }

  /** A call with an id of a model is found by that id, at any place. Other calls are found by their order. */
  recall(tool: string, args: Readonly<Record<string, unknown>>, originId?: string): Recalled {
    if (originId !== undefined) return this.#named(originId, tool, canonicalJson(args));
    const next = this.#rest[0];
    if (!next) return { kind: 'new' };
    if (next.tool !== tool || next.args !== canonicalJson(args)) return { kind: 'new' };
    this.#rest.shift();
    return next.answer === undefined ? { kind: 'open', call: next } : { kind: 'answered', call: next };
  }

  /** The newest call with that id: some servers give the same ids in every answer. */
  #named(originId: string, tool: string, args: string): Recalled {
    const at = this.#rest.findLastIndex(
      (call) => call.originId === originId && call.tool === tool && call.args === args,
    );
    const call = this.#rest[at];
    if (!call) return { kind: 'new' };
    this.#rest.splice(at, 1);
    return call.answer === undefined ? { kind: 'open', call } : { kind: 'answered', call };
  }

  /** Ends the matching. Returns the calls that stay open: the caller has to log their ends. */
  abandon(): readonly CallView[] {
    const open = this.#rest.filter((call) => call.answer === undefined);
    this.#rest = [];
    return open;
  }
}
