import { canonicalJson } from '../../../contract/index.ts';
import type { CallView } from '../runs/run-view.ts';

/** What the log already knows of a call that a re-entered phase makes again. */
export type Recalled =
  /** It was answered before the cut: the answer stands, nothing happens again. */
  | { readonly kind: 'answered'; readonly call: CallView }
  /** It was cut off and may be done again, under its old id. */
  | { readonly kind: 'open'; readonly call: CallView }
  /** A new decision. */
  | { readonly kind: 'new' };

/**
 * The calls that a phase had made when its run was cut off, in order. The phase is entered again and makes
 * them again: as long as tool and arguments are the same, each call is matched with its record. The first
 * difference ends the replay, since from there on the phase decides again about a world that has changed.
 */
export class ToolJournal {
  #rest: CallView[];

  constructor(calls: readonly CallView[]) {
    this.#rest = [...calls];
  }

  /** A call that a model named is found by that name, wherever it stands; others by their order. */
  recall(tool: string, args: Readonly<Record<string, unknown>>, originId?: string): Recalled {
    if (originId !== undefined) return this.#named(originId, tool, canonicalJson(args));
    const next = this.#rest[0];
    if (!next) return { kind: 'new' };
    if (next.tool !== tool || next.args !== canonicalJson(args)) return { kind: 'new' };
    this.#rest.shift();
    return next.answer === undefined ? { kind: 'open', call: next } : { kind: 'answered', call: next };
  }

  /** The newest of that name: some servers give the same names in every answer. */
  #named(originId: string, tool: string, args: string): Recalled {
    const at = this.#rest.findLastIndex(
      (call) => call.originId === originId && call.tool === tool && call.args === args,
    );
    const call = this.#rest[at];
    if (!call) return { kind: 'new' };
    this.#rest.splice(at, 1);
    return call.answer === undefined ? { kind: 'open', call } : { kind: 'answered', call };
  }

  /** Ends the replay. Returns the calls that stay open: somebody has to write down how they ended. */
  abandon(): readonly CallView[] {
    const open = this.#rest.filter((call) => call.answer === undefined);
    this.#rest = [];
    return open;
  }
}
