import {
  type CallAsk,
  type CallName,
  type CallReply,
  type CellBus,
  type ClipRequest,
  EdgeError,
  type EventPayload,
  METHODS,
  type RosServices,
  type Sample,
  type TriggerSpec,
} from '../../../contract/core.ts';
import type { Recorder } from '../recorder/index.ts';
import { Clips, type ClipsOptions } from './clips.ts';
import { Episodes } from './episodes.ts';
import { Retention, type RetentionOptions, type RetentionPolicy } from './retention.ts';
import { TriggerWatch } from './trigger-watch.ts';

export type RecordingMode = 'continuous' | 'ring' | 'episode';
export type RecordingOptions = Omit<ClipsOptions, 'recorder' | 'onCut'> &
  Pick<RetentionOptions, 'mayEvict'> & {
    readonly mode: RecordingMode;
    readonly recorder: Recorder;
    readonly policies: readonly RetentionPolicy[];
    readonly triggers: readonly TriggerSpec[];
    readonly definitionOf: (type: string) => string | undefined;
    /** Publishes the events that are in the logs: before a segment is sealed, and before the recorder stops. */
    readonly story?: { flush(): void; stop(): void };
  };

/** What is recorded and what of it stays: clips, episodes, triggers, ring and quota, around one recorder. */
export class Recording {
  readonly recorder: Recorder;
  readonly #mode: RecordingMode;
  readonly #clips: Clips;
  readonly #episodes: Episodes | undefined;
  readonly #retention: Retention;
  readonly #triggers: TriggerWatch;
  readonly #report: RecordingOptions['report'];
  readonly #story: RecordingOptions['story'];

  constructor(options: RecordingOptions) {
    const { recorder, mode, report } = options;
    this.recorder = recorder;
    this.#mode = mode;
    this.#report = report;
    this.#story = options.story;
    this.#clips = new Clips({ ...options, onCut: (segment) => this.#retention.add(segment) });
    this.#episodes = mode === 'episode' ? new Episodes(options) : undefined;
    this.#retention = new Retention({
      ...options,
      neededFromNs: (bag) => this.#clips.neededFromNs(bag),
      isWhole: (bag) => this.#episodes?.isEpisode(bag) ?? false,
      discard: async (bag) => this.#episodes?.discardBag(bag, 'recorder.quota'),
    });
    this.#triggers = new TriggerWatch(options.triggers, {
      ...options,
      fire: (request) => this.#fire(request),
    });
  }

  /** When the recorder has started and before it is offered anything. */
  async start(): Promise<void> {
    await this.#episodes?.begin();
    await this.#clips.start();
    await this.#retention.start();
  }

  /** To the recorder and its watchers; never throws. */
  offer(sample: Sample): void {
    this.recorder.offer(sample);
    if (!this.#triggers.isEmpty) this.#triggers.offer(sample);
  }

  /** Seals what came so far, with the events that belong to it. Rejects as `Recorder.sealNow`. */
  async seal(): Promise<void> {
    this.#story?.flush();
    await this.recorder.sealNow();
  }

  /** Before the recorder stops. */
  async stop(): Promise<void> {
    this.#story?.stop();
    await this.#retention.stop();
    await this.#clips.stop();
    await this.#episodes?.end();
  }

  /** As `Clips.record`; rejects also where nothing is kept that a clip could be cut from. */
  async clip(request: ClipRequest, isSpent = false) {
    if (this.#mode === 'episode')
      throw new EdgeError('recorder.failed', {
        operation: 'record clip',
        subject: request.trigger,
        message: 'clips are not available in episode mode',
        hint: 'recorder.mode = "ring" or "continuous"',
        retryable: false,
      });
    return await this.#clips.record(request, isSpent);
  }

  /** A segment that came otherwise, by an import: it counts for the quota. */
  adopted(segment: EventPayload<'segment.sealed'>): void {
    this.#retention.add(segment);
  }

  clips() {
    return this.#clips.list();
  }

  get episodes(): Episodes {
    if (this.#episodes) return this.#episodes;
    throw new EdgeError('recorder.failed', {
      operation: 'episode',
      subject: 'recorder',
      message: `the recorder is in ${this.#mode} mode`,
      hint: 'recorder.mode = "episode"',
      retryable: false,
    });
  }

  #fire(request: ClipRequest): void {
    void this.clip(request, true).catch((error: unknown) => {
      this.#report('warn', `trigger ${request.trigger} fired, but no clip was recorded`, {
        error: String(error),
      });
    });
  }
}

type RecordingCall = Extract<CallName, `recorder.${string}` | `episode.${string}`>;

/** What other cells may ask of the recording; `recording` is undefined where the recorder is off. */
export function serveRecording(bus: Pick<CellBus, 'handle'>, recording: Recording | undefined): void {
  const { recordSeal, clipRecord, clipList } = METHODS.execution;
  const { episodeStart, episodeStop, episodeDiscard, episodeRelabel, episodeList } = METHODS.execution;
  const handle = <N extends RecordingCall>(
    method: N,
    answer: (recording: Recording, body: CallAsk<N>) => CallReply<N> | Promise<CallReply<N>>,
  ) =>
    bus.handle(method, async (body) => {
      if (recording) return await answer(recording, body);
      throw new EdgeError('recorder.failed', {
        operation: method,
        subject: 'recorder',
        message: 'the recorder is off',
        hint: 'recorder.enabled = true',
      });
    });
  handle(recordSeal, async (recording) => {
    await recording.seal();
    return recording.recorder.status().segments;
  });
  handle(clipRecord, (r, body) => r.clip(body));
  handle(clipList, (r) => r.clips());
  handle(episodeStart, (r, body) => r.episodes.start(body));
  handle(episodeStop, (r, body) => r.episodes.stop(body));
  handle(episodeDiscard, (r, body) => r.episodes.discard(body));
  handle(episodeRelabel, (r, body) => r.episodes.relabel(body));
  handle(episodeList, (r) => r.episodes.list());
}

/**
 * The ROS service that records a clip (std_srvs/Trigger): success with the name of the clip when it is sure to
 * come, else why not. Closed with what it returns.
 */
export function serveClipService(
  services: Pick<RosServices, 'serve'>,
  recording: Pick<Recording, 'clip'>,
  name: string,
): Promise<{ close(): Promise<void> }> {
  return services.serve(name, 'std_srvs/srv/Trigger', async () => {
    try {
      const { bag } = await recording.clip({ trigger: 'ros', reason: name });
      return { success: true, message: bag };
    } catch (error) {
      return { success: false, message: error instanceof Error ? error.message : String(error) };
    }
  });
}
