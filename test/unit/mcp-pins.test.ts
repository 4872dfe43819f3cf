import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hashOf, type Pin, ToolPins } from '../../adapters/mcp/tool-pins.ts';
import { ToolShelf } from '../../adapters/mcp/tool-shelf.ts';
import { freshDir } from '../support/daemon.ts';
import { serverConfig } from '../support/mcp-rig.ts';

const named = (name: string, description = '') => ({
  name,
  description,
  inputSchema: { type: 'object', properties: {} },
});
const pin = (name: string, description = ''): Pin => {
  const definition = named(name, description);
  return { sha256: hashOf(definition), definition, state: 'allowed' };
};

/** What was allowed is what the file says: one that cannot be written allows nothing. */
describe('pins of tools', () => {
  let dir: ReturnType<typeof freshDir>;
  let folder: string;
  beforeEach(() => {
    dir = freshDir('mcp-pins');
    folder = join(dir.path, 'mcp');
  });
  afterEach(() => {
    vi.restoreAllMocks();
    dir.remove();
  });
  const kept = () => new ToolPins(dir.path, 's').all().map(({ definition: { name } }) => name);
  const names = (pins: ToolPins) => pins.all().map(({ definition: { name } }) => name);
  /** Where the draft goes nothing can be written. */
  const block = () => mkdirSync(join(folder, 's.json.tmp', 'in the way'), { recursive: true });
  const unblock = () => rmSync(join(folder, 's.json.tmp'), { recursive: true });

  it('count when they are durable, not before', async () => {
    const pins = new ToolPins(dir.path, 's');
    const first = pins.set([pin('a')]);
    const second = pins.set([pin('b')]);
    expect(names(pins)).toEqual([]);
    await first;
    expect(names(pins)).toEqual(['a']);
    await second;
    expect(names(pins)).toEqual(['a', 'b']);
    expect(kept()).toEqual(['a', 'b']);
    expect(readdirSync(folder)).toEqual(['s.json']);
  });

  it('that cannot be written leave memory and file as they were, and are told; the next ones count', async () => {
    const pins = new ToolPins(dir.path, 's');
    await pins.set([pin('a')]);
    block();
    const failing = pins.set([pin('a', 'changed'), pin('b')]);
    const after = pins.set([pin('c')]);
    for (const failed of [failing, after])
      await expect(failed).rejects.toMatchObject({ code: 'log.failed', operation: 'pin tools' });
    expect(pins.all()).toEqual([pin('a')]);
    expect(kept()).toEqual(['a']);
    unblock();
    await pins.set([pin('d')]);
    expect(pins.all()).toEqual([pin('a'), pin('d')]);
    expect(kept()).toEqual(['a', 'd']);
  });

  it.each([['a file before'], ['none before']])(
    'that are written but may not stay are taken back: with %s',
    async (before) => {
      const pins = new ToolPins(dir.path, 's');
      if (before === 'a file before') await pins.set([pin('a')]);
      const were = names(pins);
      const handle = await open(dir.path, 'r');
      const prototype = Object.getPrototypeOf(handle) as FileHandle;
      await handle.close();
      const sync = prototype.sync;
      let syncs = 0;
      // The draft first, then the folder.
      vi.spyOn(prototype, 'sync').mockImplementation(function (this: FileHandle) {
        if (++syncs === 2) return Promise.reject(new Error('EIO: the disk is gone'));
        return sync.call(this);
      });
      await expect(pins.set([pin('b')])).rejects.toMatchObject({
        code: 'log.failed',
        message: expect.stringMatching(/EIO/),
      });
      expect(syncs).toBe(2);
      expect(names(pins)).toEqual(were);
      expect(kept()).toEqual(were);
      expect(readdirSync(folder)).toEqual(were.length > 0 ? ['s.json'] : []);
    },
  );

  it('of a file that is damaged somewhere are none at all', async () => {
    await new ToolPins(dir.path, 's').set([pin('a'), pin('b')]);
    const path = join(folder, 's.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"name":"b"', '"name":"c"'));
    const pins = new ToolPins(dir.path, 's');
    expect(pins.damaged).toBe(true);
    expect(pins.all()).toEqual([]);
  });

  it('that were not written offer no tool, also when the server lists it again', async () => {
    const shelf = new ToolShelf(serverConfig('s'), new ToolPins(dir.path, 's'));
    block();
    for (let turn = 0; turn < 2; turn++) {
      expect((await shelf.take([named('a')])).unpinned).toMatchObject({ code: 'log.failed' });
      expect(shelf.tools()).toEqual([]);
      expect(shelf.views()).toMatchObject([
        { tool: 'a', state: 'waiting', reason: expect.stringMatching(/cannot be pinned/) },
      ]);
      expect(shelf.known).toBe(false);
    }
    unblock();
    await shelf.take([named('a')]);
    expect(shelf.views()).toMatchObject([{ tool: 'a', state: 'offered' }]);
    expect(kept()).toEqual(['a']);
    // A person's word as well.
    await shelf.take([named('a', 'changed')]);
    block();
    await expect(shelf.allow('a')).rejects.toMatchObject({ code: 'log.failed' });
    await expect(shelf.take([named('a', 'changed')])).resolves.toBeDefined();
    expect(shelf.views()).toMatchObject([{ tool: 'a', state: 'changed' }]);
  });

  it('that cannot be written withdraw what changed all the same, and keep what holds', async () => {
    const shelf = new ToolShelf(serverConfig('s'), new ToolPins(dir.path, 's'));
    await shelf.take([named('kept'), named('turned')]);
    const [kept, turned] = shelf.tools();
    block();
    const taken = await shelf.take([named('kept'), named('turned', 'now it deletes'), named('new')]);
    expect(taken.unpinned).toMatchObject({ code: 'log.failed' });
    expect(taken.news.map(({ tool, state }) => `${tool} ${state}`)).toEqual([
      ...['turned changed', 'new waiting'],
    ]);
    expect(shelf.tools()).toEqual([kept]);
    expect(() => shelf.confirm(kept!)).not.toThrow();
    expect(() => shelf.confirm(turned!)).toThrow(expect.objectContaining({ code: 'mcp.failed' }));
  });
});
