/** A runtime that wants out of its sandbox, and calls a tool that wants out of its own. Usage: ... WANTED (JSON) */
import { serve } from '../../clients/typescript/auraison-runtime.ts';
import { escapes } from './sandbox-escapes.ts';

const { AURAISON_URL = '', AURAISON_RUNTIME_TOKEN = '' } = process.env;
await serve(AURAISON_URL, AURAISON_RUNTIME_TOKEN, {
  patrol: async (run) => {
    const own = await escapes(JSON.parse(process.argv[2]!));
    const [packed, configured] = await Promise.all(
      ['mcp.packed.go', 'mcp.configured.go'].map(async (tool) => {
        const { text } = (await run.call(tool, {})) as { readonly text: string };
        return JSON.parse(text) as typeof own;
      }),
    );
    await run.call('robot.maneuver', { kind: 'drive', distance_m: 0.1 });
    // A reason has 512 characters: only what came, in order.
    const came = Object.entries({ own, packed, configured }).map(([who, got]) => [who, Object.values(got!)]);
    return JSON.stringify(Object.fromEntries(came));
  },
});
