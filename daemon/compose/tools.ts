import { join } from 'node:path';
import { FileBlobStore } from '../../adapters/blobs/file-blob-store.ts';
import { SkillShelves } from '../../adapters/skills/skill-shelves.ts';
import {
  type Application,
  type CellContext,
  type IdSource,
  type SkillShelf,
  type Tool,
  toMs,
} from '../../contract/core.ts';
import { eachEvent } from '../../history/each-event.ts';
import { BlobKeeper, keptSince } from '../runtime/blob-keeper.ts';
import { matches } from '../runtime/gate/tool-names.ts';
import { houseTools } from '../runtime/house-tools.ts';
import { ArmProxy } from '../runtime/robot/arm-proxy.ts';
import { RobotProxy } from '../runtime/robot/robot-proxy.ts';
import { advertiseSkills } from '../runtime/skills/advertise.ts';
import { type DeskParts, QuestionDesk } from '../runtime/tools/question-desk.ts';
import type { Settings } from '../settings.ts';

/** What this house offers to agents, beside what applications and MCP servers bring. */
export type HouseTools = {
  readonly tools: readonly Tool[];
  readonly blobs: BlobKeeper;
  readonly questions: QuestionDesk;
  /** By application of today; those with a folder. */
  readonly skills: ReadonlyMap<string, SkillShelf>;
  /** From now on these are the applications. */
  takeApps(apps: readonly Application[]): void;
  /** The part of the prompt that names the skills of an application; undefined: it has none. */
  skillsBlock(app: Application): string | undefined;
  /** Before runs continue: questions of the log, left-overs of dead processes, invalid skills. */
  start(): Promise<void>;
};

const HISTORY_KINDS = ['tool.called', 'tool.returned'] as const;

export function makeTools(
  settings: Settings,
  context: CellContext,
  ids: IdSource,
  apps: readonly Application[],
  /** Blobs that stay, whatever their quota. */
  needed: () => ReadonlySet<string>,
  /** The application of a run in its version; absent: that of today that serves its intent. */
  appOfRun: (runId: string) => Application | undefined = () => undefined,
  mayAnswer?: DeskParts['mayAnswer'],
): HouseTools {
  const { clock, bus, log } = context;
  const { tools: keys } = settings.config;
  const shelves = new SkillShelves();
  shelves.take(apps);
  const reader = log.reader();
  const questions = new QuestionDesk({
    ...{ clock, reader, emit: context.emit },
    ...(mayAnswer ? { mayAnswer } : {}),
  });
  const files = new FileBlobStore(join(settings.dataDir, 'blobs'));
  const blobs = new BlobKeeper({
    ...{ blobs: files, clock, needed, emit: context.emit, report: context.report },
    quotaBytes: settings.config.blobs.quota,
    // Events that are archived name their blobs for ever.
    ...(settings.config.log.archive ? {} : { keptSinceMs: () => keptSince(reader) }),
  });
  const tools = houseTools({
    robot: new RobotProxy(bus, clock, ids),
    arm: new ArmProxy(bus, clock, ids),
    bus,
    clock,
    image: { sideMax: keys.image_size, quality: keys.image_quality },
    topics: { camera: keys.camera_topic, scan: keys.scan_topic },
    desk: questions,
    history: (runId) => eachEvent(reader, { runId, kinds: HISTORY_KINDS }),
    shelfOf: ({ intent, runId }) => shelves.of(appOfRun(runId) ?? shelves.serving(intent.type)),
  });
  return {
    tools,
    blobs,
    questions,
    skills: shelves.today,
    takeApps: (now) => shelves.take(now),
    skillsBlock: (app) => {
      const { agent } = app;
      const shelf = shelves.of(app);
      // What cannot be loaded is not offered.
      const loads = agent?.tools.some((pattern) => matches(pattern, 'skill.load')) ?? false;
      return loads && shelf ? advertiseSkills(shelf) : undefined;
    },
    async start() {
      for (const [app, shelf] of shelves.today)
        for (const { path, problems } of shelf.faults())
          context.report('warn', `a skill of ${app} cannot be used: ${path}`, { app, path, problems });
      await files.sweep(toMs(clock.now())).catch(() => 0);
      await questions.load();
    },
  };
}
