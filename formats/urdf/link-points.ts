import type { UrdfModel } from './model.ts';
import { ToolPoint, toolChain } from './tool-chain.ts';

export type LinkPoint = {
  readonly link: string;
  readonly x: number;
  readonly y: number;
  readonly z: number;
};

/** Where the origins of all links from a base to a tool are: for drawings, not for control loops. */
export class LinkPoints {
  /** Joints that have to be known. */
  readonly joints: readonly string[];
  readonly #links: readonly { readonly link: string; readonly origin: ToolPoint }[];

  /** Throws `schema.invalid` where `tool` does not hang on `base`, and for joints that neither turn nor slide. */
  constructor(model: UrdfModel, base: string, tool: string) {
    const all = model.joints.map(({ name }) => name);
    const { links } = toolChain(model, base, tool, all);
    this.joints = [...new Set(links.filter(({ kind }) => kind !== 'fixed').map(({ joint }) => all[joint]!))];
    const names = linksUpTo(model, base, tool);
    this.#links = names.map((link) => ({
      link,
      origin: new ToolPoint(toolChain(model, base, link, this.joints)),
    }));
  }

  /** Radians and metres in the order of `joints`. Metres in the base frame, the base itself first. */
  place(positions: ArrayLike<number>): readonly LinkPoint[] {
    const out = new Float64Array(3);
    return this.#links.map(({ link, origin }) => {
      origin.place(positions, out);
      return { link, x: out[0]!, y: out[1]!, z: out[2]! };
    });
  }
}

function linksUpTo(model: UrdfModel, base: string, tool: string): readonly string[] {
  const above = new Map(model.joints.map(({ child, parent }) => [child, parent]));
  const names: string[] = [];
  for (let link = tool; link !== base; link = above.get(link)!) names.push(link);
  return [base, ...names.reverse()];
}
