import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { FileBlobStore } from '../../adapters/blobs/file-blob-store.ts';
import { PictureProcess } from '../../adapters/images/picture-process.ts';
import {
  type Cell,
  type CellContext,
  type CellName,
  IdSource,
  SMALL_THREAD,
  toMs,
} from '../../contract/core.ts';
import type { Config } from '../config.ts';
import { Ledger, SampleBus } from '../execution/bus/index.ts';
import { ControlClient, type ControlHandle } from '../execution/control/control-client.ts';
import { CONTROL_DEFAULTS } from '../execution/control/control-loop.ts';
import { DRIVE_LIMITS } from '../execution/control/drive-limits.ts';
import type { RobotTopics } from '../execution/control/robot-topics.ts';
import { holdLease } from '../execution/door/index.ts';
import { ExecutionCell } from '../execution/execution-cell.ts';
import { LockstepLink } from '../execution/lockstep.ts';
import { serveRos } from '../execution/ros-requests.ts';
import { ExecutedGoals, motionUnderWay, STORY_TOPICS } from '../execution/story/index.ts';
import type { Settings } from '../settings.ts';
import { makeArmFigure } from './arm-figure.ts';
import { makeAttached } from './attached.ts';
import { makePlayer } from './bag-play.ts';
import { makeClockWatch } from './clock.ts';
import type { ControlThreadData } from './control-main.ts';
import { makeControllers, speedTopics } from './controllers.ts';
import { makeInference } from './inference.ts';
import { makeIntents } from './intents.ts';
import { makePolicies } from './policies.ts';
import { driveModelPath } from './policy.ts';
import { makeRecording, offerClipService } from './recording.ts';
import { makeRobotIo } from './robot-io.ts';
import { makeRoutes } from './routes.ts';
import { jointGateSpec, makeSafety } from './safety.ts';
import { makeServing } from './serve.ts';
import { makeSimArm } from './sim-arm.ts';
import { makeStory } from './story.ts';
import { makeZenoh } from './zenoh.ts';

/** The execution cell: robot, bus, recorder, control thread, routes, queryables. */
export async function composeExecution(settings: Settings, given: CellContext): Promise<Cell> {
  const { config } = settings;
  const { clock } = given;
  const context: CellContext = {
    ...given,
    // News of a cell's own log does not come over the bus.
    emit: (events) => given.emit(events).finally(() => story?.grew('execution')),
  };
  const ledger = new Ledger();
  const bus = new SampleBus({
    ...{ clock, ledger },
    onTapFault: (tap, error, times) =>
      context.report('error', `${tap} failed at a sample`, { error: String(error), times }),
  });
  const io = await makeRobotIo(settings, context);
  const nav2 = io.rosApi ? await import('./nav2.ts') : undefined;
  const { safety, path } = makeSafety(settings, context, io, bus, (mover) =>
    motionUnderWay(cell.actuation.motions, mover),
  );
  const hold = (holder: string) => (from: CellName, wantedAtMs?: number) =>
    holdLease(cell.actuation, ids.next(), from, holder, wantedAtMs);
  const ids = new IdSource(() => toMs(clock.now()), randomBytes);
  const definitions = new Map<string, string>();
  const definitionOf = (type: string) => definitions.get(type) ?? io.definitionOf?.(type);
  const story = makeStory(settings, context, bus, () => recorder);
  const recording = makeRecording(settings, context, ledger, definitionOf, story);
  const recorder = recording?.recorder;
  if (story) recorder?.declare(STORY_TOPICS);
  const goals = new ExecutedGoals({
    publish: (sample) => bus.publish(sample),
    now: () => story?.now() ?? clock.now(),
  });
  const recorded = (mover: 'base' | 'arm') => nav2?.recordedApi(io, goals, () => cell.actuation, mover) ?? io;
  const attached = makeAttached(settings, context, {
    ...{ bus, io, definitionOf },
    path: path({ kind: 'route', name: 'attached' }),
  });
  io.onTopics?.((topics) => {
    recorder?.declare(topics);
    attached.declare(topics);
  });
  io.onReleased?.((topics) => {
    bus.forget(topics);
    attached.release(topics);
  });
  const qosEvents = io.rosQosEvents ?? (() => []);
  const rosGoals = serveRos(context, {
    ...{ api: io.rosApi, qosEvents, bus, calls: safety.calls },
    ...{ admit: safety.admit, hold: hold('ros-goals') },
    wanted: (...order) => cell.actuation.news.check(...order),
    record: (actions, origin) => goals.over(actions, () => origin),
  });
  const lockstep = io.world ? new LockstepLink(clock, io.world) : undefined;
  const routes = makeRoutes(settings, context, bus, io, safety.door, path);
  const intents = makeIntents(settings, context, io.rosApi);
  const policies = makePolicies(settings, context, () => zenoh?.keySpace());
  const serving = makeServing(settings, context, policies.desk);
  const inference = makeInference(settings, context, policies, io.rosApi);
  const zenoh = await makeZenoh(settings, context, routes, [
    ...inference.keySpaceUsers,
    ...intents.keySpaceUsers,
    safety.ways,
  ]);
  const player = makePlayer(settings, context, {
    bus,
    definitions,
    recorder: () => recorder,
    keySpace: () => zenoh?.keySpace(),
    ...{ door: safety.door, hold: hold('bag-play') },
  });
  const clips = offerClipService(settings, context, io.rosApi, recording);
  const controllers = makeControllers(settings, context, {
    ...{ policies, bus, word: safety.word, hasRobot: io.source !== undefined },
    path: path({ kind: 'controller', name: '' }),
    heard: io.topics.map(({ topic }) => topic),
    odometry: io.robotTopics.odometry,
    gateSpec: (joints) => jointGateSpec(config, joints),
    actuation: () => cell.actuation,
  });
  const images = new PictureProcess();
  const cell: ExecutionCell = new ExecutionCell(context, {
    sourceKind: config.robot.source,
    source: io.source,
    sink: path({ kind: 'drive', name: '' }),
    topics: io.topics,
    command: io.command,
    speeds: speedTopics(config),
    bus,
    ledger,
    recorder,
    recording,
    makeDrive: (events) =>
      nav2?.makeNav2Drive(config, recorded('base'), context, bus, path({ kind: 'drive', name: 'nav2' })) ??
      new ControlClient({
        clock,
        spawn: () => spawnControl(config, io.robotTopics, io.world !== undefined, safety.word.buffer),
        topics: io.robotTopics,
        lease: () => safety.word.lease,
        ...events,
      }),
    arm:
      config.robot.source === 'sim' && config.sim.world === 'arm'
        ? makeSimArm(path({ kind: 'arm', name: '' }), context)
        : nav2?.makeArm(config, recorded('arm'), context),
    figure: makeArmFigure(config),
    player,
    looking: { clock, images, blobs: new FileBlobStore(join(settings.dataDir, 'blobs')) },
    qosEvents,
    movers: [
      { isMoving: () => player.isMoving(), stop: player.stopCommands },
      controllers.mover,
      ...(rosGoals ? [{ isMoving: () => rosGoals.isMoving(), stop: () => rosGoals.stop() }] : []),
    ],
    zenoh,
    routes,
    safety,
    clockWatch: makeClockWatch(settings, context, recorder),
    lockstep,
    mapAreaM2: io.mapAreaM2,
  });
  return {
    name: 'execution',
    work: () => cell.work(),
    async start() {
      await cell.start();
      story?.start();
      controllers.start();
      attached.start();
      intents.start();
      inference.start();
      void policies.start().then(() => serving.start());
    },
    async stop() {
      await Promise.all([cell.stop(), intents.close(), inference.close(), clips.close(), serving.close()]);
      story?.stop();
      await attached.close();
      images.close();
      await controllers.close();
      await policies.close();
    },
  };
}

function spawnControl(
  config: Config,
  topics: RobotTopics,
  lockstep: boolean,
  safety: SharedArrayBuffer,
): ControlHandle {
  const { robot, control, ros } = config;
  const limits = {
    ...DRIVE_LIMITS,
    linearMax: Math.min(DRIVE_LIMITS.linearMax, robot.speed_max),
    angularMax: Math.min(DRIVE_LIMITS.angularMax, robot.turn_max),
    radius: robot.radius,
  };
  const data: ControlThreadData = {
    policy: control.policy,
    model: driveModelPath(config),
    options: {
      control: {
        ...CONTROL_DEFAULTS,
        hz: control.rate,
        scanStaleMs: robot.sensor_age_max,
        lockstep,
        simulated: ros.use_sim_time,
        ownClock: robot.clock === 'own',
      },
      limits,
      topics,
    },
    safety,
  };
  const worker = new Worker(new URL('./control-main.ts', import.meta.url), {
    ...SMALL_THREAD,
    workerData: data,
    name: 'control',
  });
  return {
    port: worker as unknown as ControlHandle['port'],
    terminate: () => void worker.terminate(),
    onExit(listen) {
      worker.once('error', (error) => listen(error instanceof Error ? error.message : String(error)));
      worker.once('exit', (code) => listen(`the thread ended with code ${code}`));
    },
  };
}
