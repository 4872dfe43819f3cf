import type { AppModule } from 'auraison-edge';
import { mazeAgent } from './agent.ts';
import { mazeTools, pictureTool } from './agent-tools.ts';
import { mazeFlow } from './flow.ts';
import { ForesightHarness } from './foresight.ts';

/** The reference application: a TurtleBot-class robot finds its way out of a maze it has never seen. */
export const application: AppModule = {
  flow: mazeFlow,
  // Where the configuration chooses the agent; the flow stands by for when no model answers.
  agent: mazeAgent,
  tools: mazeTools,
  foresight: {
    tools: [pictureTool],
    patterns: ['world.*', 'robot.look'],
    harness: (parts) => new ForesightHarness(parts),
  },
};
