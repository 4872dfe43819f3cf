import type { ExtensionApi } from '../../../contract/core.ts';

/** So many drives a run may ask for, until a person gives it more. */
const DRIVES = 3;

/** An extension: copy it to `extensions/` of an application. Tool `ext.drives_left`, command `/drives 5`, two hooks. */
export default function driveBudget(pi: ExtensionApi): void {
  const left = new Map<string, number>();

  pi.registerTool({
    name: 'drives_left',
    description: 'How many drives this run may still ask for.',
    parameters: { type: 'object', properties: {} },
    edge: { effect: 'read', replay: 'safe', deadlineMs: 1_000 },
    async execute(_callId, _args, _signal, _onUpdate, { runId }) {
      const drives = left.get(runId) ?? DRIVES;
      return { content: [{ type: 'text', text: `${drives} drives left` }], details: { drives } };
    },
  });

  pi.registerCommand('drives', {
    description: 'gives the run so many drives',
    handler(args, { runId }) {
      const drives = Number.parseInt(args, 10);
      if (!(drives >= 0 && drives <= 1_000)) throw new Error('a number of drives, 0 to 1000');
      left.set(runId, drives);
      pi.sendUserMessage(`You may drive ${drives} times from now on.`);
    },
  });

  pi.on('tool_call', (event, { runId }) => {
    // Whatever moves the robot counts, by whichever tool. A stop is not asked about.
    if (event['effect'] !== 'actuate') return undefined;
    const drives = left.get(runId) ?? DRIVES;
    if (drives <= 0) return { block: true, reason: 'no drives left: ask a person' };
    left.set(runId, drives - 1);
    return undefined;
  });

  pi.on('session_shutdown', (_event, { runId }) => void left.delete(runId));
}
