import { FakeOpenAi, say } from '../../../fakes/fake-openai.ts';

/** What it wants, whatever it was answered: names and arguments as a model writes them. */
const WANTS = [
  { name: 'maze_explore_frontier', args: {} },
  { name: 'maze_go_to', args: { place: 'A' } },
  { name: 'maze_back_out', args: {} },
] as const;

/** A model that asks for motion in every turn: no refusal, no stop and no person changes its mind, and it ends nothing. */
export function hostileModel(): Promise<FakeOpenAi> {
  let turn = 0;
  return FakeOpenAi.start((asked, response, server) => {
    // Three times out of five what moves the robot for certain.
    const call = WANTS[[0, 0, 1, 0, 2][turn++ % 5]!]!;
    const said = asked.body['tools'] === undefined ? { text: 'go on' } : { calls: [call] };
    return say(said)(asked, response, server);
  });
}
