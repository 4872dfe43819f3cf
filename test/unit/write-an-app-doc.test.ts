import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPackage } from '../../daemon/compose/package-reader.ts';
import { loaded } from '../../daemon/compose/shelf-rules.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs/write-an-app-in-code.md'), 'utf8');

const EXAMPLE = join(ROOT, 'docs/examples/apps/patrol');

function example() {
  const read = readPackage(EXAMPLE, { keys: new Map(), requireSigned: false });
  if (!read.ok) throw new Error(JSON.stringify(read.faults));
  return loaded(read, EXAMPLE);
}

async function patrol(robot: FakeRobot, params: Record<string, unknown>) {
  const rig = new RuntimeRig({ apps: [example()], robot });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: 'patrol/drive', params }, PERSON);
  await rig.finished();
  return { rig, run: rig.cell.run(run.run_id) };
}

describe('docs/write-an-app-in-code.md', () => {
  it.each([
    ['ts', 'index.ts'],
    ['toml', 'app.toml'],
  ])('shows the example file as it is: %s', (language, file) => {
    const text = readFileSync(join(EXAMPLE, file), 'utf8');
    expect(page).toContain(`\`\`\`${language}\n${text}\`\`\``);
  });

  it('has an example that drives the robot there and back', async () => {
    const robot = new FakeRobot({ seed: 1, cells: 4 });
    const { pose } = await robot.state();
    const { x, y } = pose!;
    const { run, rig } = await patrol(robot, {
      dock: { x_m: x, y_m: y },
      place: { x_m: x, y_m: y + 1 },
      laps: 2,
    });
    expect(rig.reports).toEqual([]);
    expect(run).toMatchObject({ reason: '2 laps', run: { status: 'succeeded', score: 1 } });
    expect(robot.orders.filter((order) => order.includes('navigate')).length).toBe(4);
  });

  it('has an example that gives up where the way is blocked', async () => {
    const { run } = await patrol(new FakeRobot({ seed: 1, cells: 4, stuckShare: 1 }), {
      dock: { x_m: 2, y_m: 2 },
      place: { x_m: 4, y_m: 2 },
      laps: 1,
    });
    expect(run).toMatchObject({ phase: 'gave_up', run: { status: 'failed' } });
  });

  it('names only files that exist', () => {
    const named = [
      ...page.matchAll(
        /`((?:apps|contract|daemon|docs|test|scripts)\/[\w./-]+\.\w+|(?:apps|docs)\/[\w./-]+)`/g,
      ),
    ]
      .map(([, path]) => path!)
      .filter((path) => !path.startsWith('apps/patrol'));
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
