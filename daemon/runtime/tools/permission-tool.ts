import type { Tool } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { closed, houseTool, Words } from './kit.ts';

/**
 * What a foreign agent wants to do outside of the robot: a command on its host, a change of a file. The call is the
 * question: Cedar policies judge it, a person approves it where they say so, and it is in the log. It does nothing itself.
 */
export function permissionTool(): Tool {
  return houseTool({
    name: 'agent.permission',
    description:
      'Asks whether a foreign agent may do something outside of the robot, for example run a command on its host. Its ' +
      'bridge calls it, never a model. An application has it only where it names it: no pattern matches it.',
    input: Type.Object(
      {
        action: Words(2_000, 'what it wants to do, as its agent shows it to people'),
        kind: Type.Union(
          [
            'read',
            'edit',
            'delete',
            'move',
            'search',
            'execute',
            'think',
            'fetch',
            'switch_mode',
            'other',
          ].map((kind) => Type.Literal(kind)),
          { description: 'the kind of tool' },
        ),
        input: Type.String({
          maxLength: 2_000,
          description: 'the arguments of that tool, as JSON; may be empty',
        }),
      },
      closed,
    ),
    effect: 'write',
    // The agent that asked is gone after a cut: another call is another question.
    replay: 'never',
    deadlineMs: 1_000,
    run: async () => ({ result: { granted: true } }),
  });
}
