import type { Skill } from '../skill.ts';
import type { ModelNeed } from './language-model.ts';
import type { ToolSpec } from './tool.ts';

/** One call of the last answer, as the agent saw it. */
export type AgentStep = {
  readonly tool: string;
  readonly ok: boolean;
  /** The result of the tool, or the message of its failure. */
  readonly result: unknown;
};

/** Something an agent may do next: a tool and, where that helps, a schema narrower than its own. */
export type AgentChoice = { readonly tool: string; readonly input?: ToolSpec['input'] };

/** What makes an application an agent, for the `pi` harness. Plain data and pure functions. */
export type AgentDefinition = {
  /** System prompt: who the agent is, what it must and must not do. */
  readonly instructions: string;
  /** The first message of a run, from the params of its intent and its type (`group/what`). Pure. */
  prompt(params: Readonly<Record<string, unknown>>, intent?: string): string;
  /** Tools that exist for it, by name or pattern: `robot.navigate`, `robot.*`, `mcp.files.*`. */
  readonly tools: readonly string[];
  /**
   * What makes sense next, given the calls of the last answer (none: it starts). Its other tools stay known but cannot
   * be chosen in this turn. All tools are offered when this is undefined, and whenever a person has written something.
   * A guide for models that wander; what may be done is decided by the gate and the policies. Pure.
   */
  choices?(last: readonly AgentStep[]): readonly AgentChoice[] | undefined;
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
