// Asks the simulated robot of `npm start` to find the exit, and follows the run to its end.
// Usage: node find-exit.ts URL TOKEN
import { connectRobot, resultOf } from './auraison-client.ts';

const [, , url = 'http://127.0.0.1:7601', token = ''] = process.argv;
const robot = connectRobot(url, token);

const { run } = resultOf(await robot.api.POST('/v1/intents', { body: { type: 'maze/find_exit' } }));
console.log(`run ${run.run_id}`);
for await (const { event } of robot.events({ run: run.run_id })) {
  if (event.kind === 'run.phase') console.log(`phase ${event.payload.phase}: ${event.payload.reason}`);
  if (event.kind === 'tool.called') console.log(`tool ${event.payload.tool}`);
}
const done = resultOf(await robot.api.GET('/v1/runs/{id}', { params: { path: { id: run.run_id } } }));
console.log(`${done.run.status}: ${done.reason}`);
