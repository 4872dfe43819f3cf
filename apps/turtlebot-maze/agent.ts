import type { AgentDefinition } from 'auraison-edge';
import { mazeChoices } from './agent-choices.ts';
import { MAX_BUMPS, MAX_DURATION_S, type MazeParams } from './facts.ts';

/**
 * The same mission for an agent: it makes the choices, and the code does the driving. The tools are few and simple,
 * and each result names the usual next one, so that a very small model can do it too.
 */
export const mazeAgent: AgentDefinition = {
  // A small model chooses otherwise with other words: these are the ones it was tried with.
  instructions: `You steer a small robot through a maze that nobody has seen. Find the exit.
Call maze_explore_frontier again and again until a result says "exit_reached": true.
When a drive ends stuck, or the result has a problem, call maze_back_out once, then explore again.
maze_list_frontiers and maze_go_to let you choose a place yourself.
When the exit is reached call run_finish with status "succeeded". When a limit is reached call it with "failed".`,
  prompt(params) {
    const { max_duration_s = MAX_DURATION_S, max_bumps = MAX_BUMPS } = params as MazeParams;
    return `Find the exit. You may take ${max_duration_s} s of robot time and touch walls ${max_bumps} times.`;
  },
  tools: ['maze.*', 'run.finish', 'robot.stop'],
  choices: mazeChoices,
  need: { tools: true },
  toolChoice: 'required',
  turnsMax: 600,
  maxTokens: 256,
  temperature: 0,
};
