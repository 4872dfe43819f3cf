import type { Clock, GraphSnapshot, RosGraph } from '../../contract/core.ts';
import type { ApiLink } from './api-link.ts';
import { ROS_LIMITS } from './options.ts';

/** The graph as the ROS host sees it; a host that is started again sees it again. */
export class HostGraph implements RosGraph {
  readonly #link: ApiLink;
  readonly #clock: Clock;
  readonly #report: (level: 'warn' | 'error', message: string) => void;
  readonly #watchers = new Set<(graph: GraphSnapshot) => void>();
  #last: GraphSnapshot | undefined;

  constructor(link: ApiLink, clock: Clock, report: (level: 'warn' | 'error', message: string) => void) {
    this.#link = link;
    this.#clock = clock;
    this.#report = report;
    link.listen({
      onHost: async (host) => {
        if (this.#watchers.size > 0) host.apiWord({ op: 'watch', on: true });
      },
      onHostGone: () => {},
      onNews: (news) => {
        if (news.op === 'graph') this.#changed(news.graph);
      },
    });
  }

  snapshot(): Promise<GraphSnapshot> {
    return this.#link.call<GraphSnapshot>(
      { op: 'graph' },
      ROS_LIMITS.REQUEST_MS,
      'read the graph',
      'ROS host',
    );
  }

  watch(onChange: (graph: GraphSnapshot) => void): { cancel(): void } {
    // The same function may watch twice.
    const watcher = (graph: GraphSnapshot) => onChange(graph);
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) {
      this.#last = undefined;
      this.#link.word({ op: 'watch', on: true });
    } else {
      const last = this.#last;
      if (last) this.#clock.after(0, () => this.#watchers.has(watcher) && this.#tell(watcher, last));
    }
    return {
      cancel: () => {
        if (this.#watchers.delete(watcher) && this.#watchers.size === 0)
          this.#link.word({ op: 'watch', on: false });
      },
    };
  }

  #changed(graph: GraphSnapshot): void {
    this.#last = graph;
    for (const watcher of [...this.#watchers]) this.#tell(watcher, graph);
  }

  #tell(watcher: (graph: GraphSnapshot) => void, graph: GraphSnapshot): void {
    try {
      watcher(graph);
    } catch (error) {
      this.#report(
        'error',
        `a watcher of the graph failed: ${error instanceof Error ? error.message : error}`,
      );
    }
  }
}
