import { openRobot } from 'auraison-edge/sdk';

/** Has an agent do what the arguments say, shows what it does, and allows what it asks for. Ctrl-C stops the robot first. */
const words = process.argv.slice(2).join(' ');
const robot = await openRobot();
const session = await robot.session();
session.subscribe((event) => {
  if (event.kind === 'token') process.stdout.write(event.text);
  else if (event.kind === 'tool') console.log(`> ${event.tool} ${JSON.stringify(event.args)}`);
  else if (event.kind === 'result') console.log(`< ${event.text}`);
  else if (event.kind === 'approval') session.approve(event.approval_id, 'allow');
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('stopped by Ctrl-C')));
try {
  const { text, status } = await session.prompt(words, { signal: stop.signal });
  console.log(`${text}\n[${status.model}, ${status.context_used} tokens]`);
  await session.close();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  await robot.close();
}
