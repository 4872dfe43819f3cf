import { EdgeError, type GraphSnapshot, LIMITS, type Sample } from '../../contract/core.ts';
import type { FromServers, OfferedTopic, ToServers } from './messages.ts';

type Receive = (sample: Sample) => void;
type TopicsChanged = (added: readonly OfferedTopic[], removed: readonly OfferedTopic[]) => void;

/** What a session needs of the robot; see `AttachedRobot`. */
export type RobotView = Pick<
  AttachedRobot,
  'topics' | 'topic' | 'onTopics' | 'follow' | 'onMissed' | 'onGraph' | 'publish'
>;

/**
 * The robot as the thread of the servers sees it: topics, samples, the ROS graph. The execution cell sends only samples of
 * topics that some client follows, each once, however many clients follow it. No I/O; messages are given and taken.
 */
export class AttachedRobot {
  readonly #post: (message: FromServers) => void;
  readonly #topics = new Map<string, OfferedTopic>();
  readonly #topicListeners = new Set<TopicsChanged>();
  readonly #graphListeners = new Set<(graph: GraphSnapshot) => void>();
  readonly #missedListeners = new Set<(topic: string, count: number) => void>();
  readonly #followers = new Map<string, Set<Receive>>();
  /** Subscribers that wait for the last messages of a latched topic, by ticket. */
  readonly #late = new Map<number, { readonly topic: string; readonly receive: Receive }>();
  /** The ticket that the cell answers now. */
  #asked: number | undefined;
  /** What the cell was asked to send, the topics that may have changed since, and whether it has answered. */
  readonly #followed = new Set<string>();
  readonly #touched = new Set<string>();
  #isGraphFollowed = false;
  #isFollowAnswered = true;
  readonly #receipts = new Map<number, (error: EdgeError | undefined) => void>();
  #graph: GraphSnapshot | undefined;
  #tickets = 0;

  constructor(post: (message: FromServers) => void) {
    this.#post = post;
  }

  receive(message: ToServers): void {
    if (message.kind === 'topics') this.#changeTopics(message.added, message.removed);
    else if (message.kind === 'sample') this.#deliver(message.sample, message.ticket);
    else if (message.kind === 'missed')
      for (const listen of this.#missedListeners) listen(message.topic, message.count);
    else if (message.kind === 'receipt') this.#settle(message.ticket, message.error);
    else if (message.kind === 'following') {
      this.#isFollowAnswered = true;
      this.#follow();
    } else if (message.kind === 'given') {
      this.#late.delete(message.ticket);
      this.#asked = undefined;
      this.#askLatest();
    } else if (message.kind === 'graph') {
      this.#graph = message.graph;
      for (const listen of this.#graphListeners) listen(message.graph);
    }
  }

  topics(): readonly OfferedTopic[] {
    return [...this.#topics.values()];
  }

  topic(name: string): OfferedTopic | undefined {
    return this.#topics.get(name);
  }

  onTopics(listen: TopicsChanged): () => void {
    this.#topicListeners.add(listen);
    return () => this.#topicListeners.delete(listen);
  }

  onMissed(listen: (topic: string, count: number) => void): () => void {
    this.#missedListeners.add(listen);
    return () => this.#missedListeners.delete(listen);
  }

  /** Calls at once with the graph as it is known, then after each change. Without listeners the cell does not report it. */
  onGraph(listen: (graph: GraphSnapshot) => void): () => void {
    this.#graphListeners.add(listen);
    if (this.#graph) listen(this.#graph);
    this.#follow();
    return () => {
      this.#graphListeners.delete(listen);
      this.#follow();
    };
  }

  /** Every sample of the topic from now on; of a latched topic the last ones first. Returns what ends it. */
  follow(topic: string, receive: Receive): () => void {
    const followers = this.#followers.get(topic) ?? new Set();
    followers.add(receive);
    this.#followers.set(topic, followers);
    this.#touched.add(topic);
    this.#follow();
    let ticket = 0;
    if (this.#topics.get(topic)?.latched === true) {
      ticket = ++this.#tickets;
      this.#late.set(ticket, { topic, receive });
      this.#askLatest();
    }
    return () => {
      this.#late.delete(ticket);
      followers.delete(receive);
      if (followers.size === 0 && this.#followers.get(topic) === followers) this.#followers.delete(topic);
      this.#touched.add(topic);
      this.#follow();
    };
  }

  /** To the robot, through the door. Rejects with what the door says, or `cell.overloaded`. */
  publish(topic: string, type: string, bytes: Uint8Array): Promise<void> {
    if (this.#receipts.size >= LIMITS.ATTACH_CALLS_MAX * 16) {
      const message = 'too many messages wait for the robot';
      return Promise.reject(
        new EdgeError('cell.overloaded', { operation: 'publish', subject: topic, message }),
      );
    }
    const ticket = ++this.#tickets;
    return new Promise((resolve, reject) => {
      this.#receipts.set(ticket, (error) => (error ? reject(error) : resolve()));
      this.#post({ kind: 'publish', ticket, topic, type, bytes });
    });
  }

  #changeTopics(added: readonly OfferedTopic[], removed: readonly string[]): void {
    const gone = removed.flatMap((name) => this.#topics.get(name) ?? []);
    for (const { topic } of gone) this.#topics.delete(topic);
    for (const topic of added) this.#topics.set(topic.topic, topic);
    for (const listen of this.#topicListeners) listen(added, gone);
  }

  #deliver(sample: Sample, ticket: number | undefined): void {
    this.#post({ kind: 'taken', bytes: sample.bytes.length });
    if (ticket !== undefined) this.#late.get(ticket)?.receive(sample);
    else for (const receive of this.#followers.get(sample.topic) ?? []) receive(sample);
  }

  #settle(ticket: number, error: Extract<ToServers, { kind: 'receipt' }>['error']): void {
    const settle = this.#receipts.get(ticket);
    this.#receipts.delete(ticket);
    settle?.(error && EdgeError.fromBody(error));
  }

  /**
   * One message at a time, and none that changes nothing: however often clients subscribe, the main thread of the cell,
   * which also carries the stops, is asked no faster than it answers.
   */
  #follow(): void {
    if (!this.#isFollowAnswered) return;
    const touched = [...this.#touched];
    this.#touched.clear();
    const added = touched.filter((topic) => this.#followers.has(topic) && !this.#followed.has(topic));
    const removed = touched.filter((topic) => !this.#followers.has(topic) && this.#followed.has(topic));
    const graph = this.#graphListeners.size > 0;
    if (added.length + removed.length === 0 && graph === this.#isGraphFollowed) return;
    for (const topic of added) this.#followed.add(topic);
    for (const topic of removed) this.#followed.delete(topic);
    this.#isGraphFollowed = graph;
    this.#isFollowAnswered = false;
    this.#post({ kind: 'follow', added, removed, graph });
  }

  /** One at a time too: the messages of a map are copied for each subscriber. */
  #askLatest(): void {
    if (this.#asked !== undefined) return;
    const [next] = this.#late;
    if (!next) return;
    const [ticket, { topic }] = next;
    this.#asked = ticket;
    this.#post({ kind: 'latest', topic, ticket });
  }
}
