import { openEventReader } from '../../adapters/event-log/index.ts';
import { type CellContext, TOPICS } from '../../contract/core.ts';
import type { SampleBus } from '../execution/bus/index.ts';
import type { Recorder } from '../execution/recorder/index.ts';
import { EventFeed } from '../execution/story/index.ts';
import type { Settings } from '../settings.ts';

/**
 * What agents, flows and safety decided, published on the bus beside the sensors. Undefined without a robot: what is
 * recorded then are plays and data of others, in times of their own.
 */
export function makeStory(
  { config, dataDir }: Settings,
  { clock, report, bus: cells }: Pick<CellContext, 'clock' | 'report' | 'bus'>,
  bus: SampleBus,
  recorder: () => Pick<Recorder, 'missed'> | undefined,
): EventFeed | undefined {
  const { robot, ros } = config;
  if (robot.source === 'none') return undefined;
  const feed = new EventFeed({
    ...{ clock, report },
    cells: ['runtime', 'execution'],
    openReader: (cell) => openEventReader(dataDir, cell),
    publish: (sample) => bus.publish(sample),
    dropped: (topic, count) => recorder()?.missed(topic, 'queue_full', count),
    isWall: robot.source !== 'sim' && !ros.use_sim_time,
  });
  cells.onBroadcast(TOPICS.logGrew, (_body, from) => feed.grew(from));
  bus.tap('story', (sample, origin) => {
    if (origin === 'robot') feed.observe(sample);
  });
  return feed;
}
