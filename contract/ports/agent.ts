import type { Skill } from '../skill.ts';
import type { ModelNeed } from './language-model.ts';

/** What makes an application an agent, for the `pi` harness. Plain data and pure functions. */
export type AgentDefinition = {
  /** System prompt: who the agent is, what it must and must not do. */
  readonly instructions: string;
  /** The first message of a run, from the params of its intent. Pure. */
  prompt(params: Readonly<Record<string, unknown>>): string;
  /** Tools that exist for it, by name or pattern: `robot.navigate`, `robot.*`, `mcp.files.*`. */
  readonly tools: readonly string[];
  readonly need?: ModelNeed;
  /** `required`: every turn has to choose a tool; the run ends by `run.finish`. */
  readonly toolChoice?: 'auto' | 'required';
  /** Assistant turns of one run; beyond it the run fails. */
  readonly turnsMax: number;
  readonly maxTokens?: number;
  readonly temperature?: number;
};

/** A skill that was found, with what its SKILL.md says. */
export type LoadedSkill = {
  readonly skill: Skill;
  /** As the model asks for it: the `name` of its SKILL.md. */
  readonly name: string;
  /** The text below the front matter. */
  readonly instructions: string;
  readonly sha256: string;
};
