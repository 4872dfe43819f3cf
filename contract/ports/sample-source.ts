import type { Sample, TopicSpec } from '../sample.ts';

/** What a source can say about itself at any moment, without blocking. */
export type SourceState = {
  readonly connected: boolean;
  /** Why not, for a person; empty when connected. */
  readonly reason: string;
  /** Samples this source lost before they reached `onSample`, by topic, since it was opened. */
  readonly lost: Readonly<Record<string, number>>;
};

/**
 * Where samples come from: a robot, a simulation, a bag. `open` resolves once the topics are subscribed, or
 * throws an EdgeError; it is called once. `onSample` is called on the main thread, never re-entrantly, and
 * must not throw. The receiver owns the bytes. A source that loses its robot keeps trying on its own and says
 * so in `state`; `onState` is called with each change. `close` settles within a second and may be called twice.
 */
export interface SampleSource {
  open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void>;
  state(): SourceState;
  close(): Promise<void>;
}
