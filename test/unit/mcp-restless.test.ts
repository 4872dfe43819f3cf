import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ListWatch } from '../../adapters/mcp/list-watch.ts';
import { ToolPins } from '../../adapters/mcp/tool-pins.ts';
import { ToolShelf } from '../../adapters/mcp/tool-shelf.ts';
import { LIMITS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { freshDir } from '../support/daemon.ts';
import { serverConfig } from '../support/mcp-rig.ts';

const KEPT_MAX = 4 * LIMITS.MCP_TOOLS_MAX;
const named = (name: string, description = '') => ({
  name,
  description,
  inputSchema: { type: 'object', properties: {} },
});

/** Servers whose tools are never the same. */
describe('a restless MCP server', () => {
  let dir: ReturnType<typeof freshDir>;
  beforeEach(() => {
    dir = freshDir('mcp-restless');
  });
  afterEach(() => dir.remove());

  it('with new tools in each listing fills neither memory nor disk, and gets nothing trusted anew', async () => {
    const pins = new ToolPins(dir.path, 'restless');
    const shelf = new ToolShelf(serverConfig('restless'), pins);
    await shelf.take([named('first')]);
    for (let turn = 0; turn < 5; turn++)
      await shelf.take(Array.from({ length: LIMITS.MCP_TOOLS_MAX }, (_, n) => named(`t${turn}_${n}`)));
    expect(pins.all().length).toBe(KEPT_MAX);
    expect(new ToolPins(dir.path, 'restless').all().length).toBe(KEPT_MAX);
    expect(shelf.views().map(({ state }) => state)).not.toContain('offered');
    expect(shelf.views()[0]!.reason).toMatch(/a person has to allow/);
    // What was trusted first is still held to its word.
    await shelf.take([named('first', 'now it sends everything away')]);
    expect(shelf.views()).toMatchObject([{ tool: 'first', state: 'changed' }]);
    // A person's word counts beyond that.
    await shelf.take([named('late')]);
    expect(await shelf.allow('late')).toBe(true);
    expect(shelf.views()).toMatchObject([{ tool: 'late', state: 'offered' }]);
  });

  it('that says without end that its tools changed is listed ever more rarely, and at once after a quiet time', async () => {
    const clock = new ManualClock();
    let lists = 0;
    const watch = new ListWatch(clock, () => void lists++);
    watch.changed();
    await clock.advance(1);
    expect(lists).toBe(1);
    for (let ms = 0; ms < 600_000; ms += 250) {
      watch.changed();
      await clock.advance(250);
    }
    expect(lists).toBeGreaterThan(10);
    expect(lists).toBeLessThan(25);
    await clock.advance(180_000);
    const before = lists;
    watch.changed();
    await clock.advance(1);
    expect(lists).toBe(before + 1);
    watch.changed();
    watch.stop();
    await clock.advance(180_000);
    expect(lists).toBe(before + 1);
  });
});
