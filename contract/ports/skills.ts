import type { LoadedSkill } from './agent.ts';

/** A package that is not a valid skill, with all its faults. */
export type SkillFault = { readonly path: string; readonly problems: readonly string[] };

export type SkillFile = {
  /** Relative to the folder of the skill, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly sha256: string;
};

/**
 * The skills of one application: packages by the Agent Skills format (agentskills.io) in its folder. Names are
 * unique; of two with one name the first found stays and the other is a fault.
 */
export interface SkillShelf {
  /** Sorted by name. */
  skills(): readonly LoadedSkill[];
  /** Packages that are not valid skills. */
  faults(): readonly SkillFault[];
  /** Files of a skill beside its SKILL.md, relative to its folder, sorted; bounded. Empty for an unknown skill. */
  files(name: string): Promise<readonly string[]>;
  /**
   * A file inside the folder of a skill, as text. Rejects with `skill.invalid`: unknown skill or file, a path that
   * leads out of its folder (also by a link), no text, larger than the limit.
   */
  read(name: string, path: string): Promise<SkillFile>;
}
