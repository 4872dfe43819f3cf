import { describe, expect, it, vi } from 'vitest';
import { stoppedRun } from '../../cli/commands/run-control.ts';
import { addRunsCommands } from '../../cli/commands/runs.ts';
import type { Output } from '../../cli/output.ts';
import { makeProgram } from '../../cli/program.ts';
import type { RunState } from '../../contract/core.ts';

const state = { run_id: 'r1', status: 'cancelled' } as RunState;

describe('auraison runs cancel and pause', () => {
  it.each([
    [state, 0, []],
    [
      { ...state, stop_confirmed: false } as RunState,
      1,
      ['auraison: it was not confirmed that the robot stands'],
    ],
  ])('say where the robot was not confirmed to stand: %o', (answer, code, words) => {
    const notes: string[] = [];
    const out = {
      note: (text: string) => notes.push(text),
      result: (_: unknown, text: () => string) => text(),
    };
    expect(stoppedRun(out as unknown as Output, answer)).toBe(code);
    expect(notes).toEqual(words);
  });

  it.each([['cancel'], ['pause']])('%s ends with exit code 1 then', async (word) => {
    const { exitCode } = process;
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const noted = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    vi.stubEnv('AURAISON_URL', 'http://127.0.0.1:1');
    vi.stubEnv('AURAISON_TOKEN', 'token');
    vi.stubGlobal('fetch', async () => Response.json({ ...state, stop_confirmed: false }));
    try {
      const program = makeProgram();
      addRunsCommands(program);
      await program.parseAsync(['node', 'auraison', 'runs', word, 'r1']);
      expect(process.exitCode).toBe(1);
      expect(String(noted.mock.calls[0]?.[0])).toMatch('not confirmed that the robot stands');
    } finally {
      process.exitCode = exitCode;
      written.mockRestore();
      noted.mockRestore();
      vi.unstubAllEnvs();
      vi.unstubAllGlobals();
    }
  });
});

describe('a word that is no command of its group', () => {
  it.each([
    ['runs lst', "error: unknown command 'lst'; 'runs' has list, show, events"],
    ['runs list now', "error: 'runs list' takes no 'now'"],
    ['runs show', "error: missing required argument 'run'"],
  ])('%s is wrong usage, and the answer says what there is', async (words, said) => {
    const noted = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    try {
      const program = makeProgram();
      addRunsCommands(program);
      const done = program.parseAsync(['node', 'auraison', ...words.split(' ')]);
      await expect(done).rejects.toThrow('exit 2');
      expect(noted.mock.calls.join('')).toContain(said);
    } finally {
      noted.mockRestore();
      exit.mockRestore();
    }
  });
});
