import { EdgeError, type SkillShelf, type Tool, type ToolScope } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Words } from './kit.ts';

/** Loads what the prompt only advertises. `shelfOf` gives the skills of the application of a run. */
export function skillTool(
  shelfOf: (run: Pick<ToolScope, 'intent' | 'runId'>) => SkillShelf | undefined,
): Tool {
  return houseTool({
    name: 'skill.load',
    description:
      'Loads the instructions of a skill by its name, or a file that they mention. Load a skill before you do ' +
      'what it is for.',
    input: Type.Object(
      {
        name: Words(64, 'the skill, as the list of skills names it'),
        file: Type.Optional(
          Words(256, 'a file of the skill, relative to its folder; absent: its instructions'),
        ),
      },
      closed,
    ),
    effect: 'read',
    replay: 'safe',
    deadlineMs: 5_000,
    run: async ({ name, file }, scope) => {
      const shelf = shelfOf(scope);
      const skill = shelf?.skills().find((one) => one.name === name);
      if (!shelf || !skill) {
        throw new EdgeError('skill.invalid', {
          operation: 'skill.load',
          subject: name,
          message: 'there is no such skill',
          hint: (shelf?.skills() ?? [])
            .map((one) => one.name)
            .join(', ')
            .slice(0, 1024),
        });
      }
      if (file !== undefined) {
        const { path, text, sha256 } = await shelf.read(name, file);
        return { result: { name, file: path, sha256, text } };
      }
      const { instructions, sha256 } = skill;
      return { result: { name, sha256, instructions, files: [...(await shelf.files(name))] } };
    },
  });
}
