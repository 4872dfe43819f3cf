import { EdgeError, type FlowScope, type Nanoseconds } from 'auraison-edge';
import type { MazeFacts, MazeParams } from './facts.ts';

/** Seconds of recording around a bump or a drive that got stuck. */
const PRE_S = 8;
const POST_S = 1;
/** Robot time between two clips: a robot in a corner bumps again and again. */
const REST_NS = 30_000_000_000n;

/**
 * Keeps a clip of a mishap if the recorder is a ring, which would overwrite it. The result is in the log and
 * changes no decision. Returns the facts to remember.
 */
export async function clipOf(
  { tools, facts }: FlowScope<MazeFacts, MazeParams>,
  name: 'collision' | 'stuck',
  now: Nanoseconds,
): Promise<Partial<MazeFacts>> {
  if (tools.recording !== 'ring') return {};
  if (facts.clipped_ns !== undefined && now - BigInt(facts.clipped_ns) < REST_NS) return {};
  try {
    await tools.clipRecording({ name, pre_s: PRE_S, post_s: POST_S });
  } catch (thrown) {
    if (!(thrown instanceof EdgeError)) throw thrown;
  }
  return { clipped_ns: now.toString() };
}
