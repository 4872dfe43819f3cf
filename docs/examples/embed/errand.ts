import { openRobot } from 'auraison-edge/sdk';

/** Has an agent do what the arguments say, shows what it does, and allows what it asks for. Ctrl-C stops the robot first. */
const words = process.argv.slice(2).join(' ');
const show = (line: string) => process.stdout.write(`${line}\n`);
const robot = await openRobot();
const session = await robot.session();
session.subscribe((event) => {
  if (event.kind === 'token') process.stdout.write(event.text);
  else if (event.kind === 'tool') show(`> ${event.tool} ${JSON.stringify(event.args)}`);
  else if (event.kind === 'result') show(`< ${event.text}`);
  else if (event.kind === 'approval') session.approve(event.approval_id, 'allow');
});
const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('stopped by Ctrl-C')));
try {
  const { text, status } = await session.prompt(words, { signal: stop.signal });
  show(`${text}\n[${status.model}, ${status.context_used} tokens]`);
  await session.close();
} catch (error) {
  show((error as Error).message);
  process.exitCode = 1;
} finally {
  await robot.close();
}
