export { EventFeed, type EventFeedParts } from './event-feed.ts';
export { STORY_TOPICS } from './event-samples.ts';
export { ExecutedActions, type ExecutedActionsParts, motionUnderWay } from './executed-actions.ts';
