import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExtensionHost } from '../../adapters/extensions/index.ts';
import { PiHarness } from '../../adapters/pi/index.ts';
import type { PiExtension } from '../../adapters/pi/resources.ts';
import type { Application, Tool } from '../../contract/index.ts';
import { CallNote } from '../../io/call-note.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import type { ScriptedModel } from '../fakes/scripted-model.ts';
import { agentApp } from './agent-apps.ts';
import { type RigOptions, RuntimeRig } from './runtime-rig.ts';

/** A folder of an application in which a test writes extensions. */
export class ExtensionFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'extensions-'));

  write(name: string, source: string): void {
    const path = join(this.path, 'extensions', name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, source);
  }

  remove(name: string): void {
    rmSync(join(this.path, 'extensions', name));
  }

  end(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export type ExtensionRigOptions = {
  readonly tools?: readonly Tool[];
  readonly app?: Partial<Application>;
  readonly hooks?: RigOptions['hooks'];
};

/** An agent by Pi with the extensions of a folder, on the runtime rig. */
export class ExtensionRig {
  readonly folder: ExtensionFolder;
  readonly host: ExtensionHost;
  readonly rig: RuntimeRig;
  readonly states: { extension: string; state: string; reason: string }[] = [];

  constructor(folder: ExtensionFolder, model: ScriptedModel, options: ExtensionRigOptions = {}) {
    this.folder = folder;
    const clock = new ManualClock();
    const app: Application = { ...agentApp(options.tools ?? [], {}, options.app), folder: folder.path };
    this.host = hostOf(folder, clock, this.states, {
      say: async ({ runId, intent }, text, kind) =>
        void (await this.rig.cell.control.message(runId, { kind, text }, intent.policy_ctx)),
    });
    const blobs = new MemoryBlobStore();
    const pi = (one: Application) =>
      new PiHarness(one, {
        blobs,
        patienceMs: 2_000,
        extensions: (context) => this.host.open(one.name, context) as unknown as PiExtension[],
        command: ({ runId }, text) => this.host.command(one.name, runId, text),
        released: ({ runId }) => this.host.release(runId),
      });
    this.rig = new RuntimeRig({
      apps: [app],
      clock,
      robot: new FakeRobot({ cells: 4 }),
      ...(options.hooks ? { hooks: options.hooks } : {}),
      options: {
        models: () => model,
        blobs,
        harnesses: { pi },
        tools: ({ name }) => this.host.tools(name),
      },
    });
  }

  async start(): Promise<this> {
    await this.host.start();
    await this.rig.cell.start();
    return this;
  }
}

export function hostOf(
  folder: ExtensionFolder,
  clock: ManualClock,
  states: { extension: string; state: string; reason: string }[] = [],
  more: Partial<ConstructorParameters<typeof ExtensionHost>[0]> = {},
): ExtensionHost {
  return new ExtensionHost({
    apps: [{ name: 'agent', folder: folder.path }],
    clock,
    emit: ({ payload: { extension, state, reason } }) => states.push({ extension, state, reason }),
    report: () => {},
    say: async () => {},
    ...more,
  });
}

export function noteOf(folder: ExtensionFolder, restarted: boolean): CallNote {
  return new CallNote(join(folder.path, 'note'), restarted);
}
