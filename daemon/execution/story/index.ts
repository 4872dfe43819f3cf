export { EventFeed, type EventFeedParts } from './event-feed.ts';
export { STORY_TOPICS } from './event-samples.ts';
export {
  ExecutedActions,
  type ExecutedActionsParts,
  motionUnderWay,
  newestMotion,
} from './executed-actions.ts';
export { ExecutedGoals, type GoalOrigin } from './executed-goals.ts';
