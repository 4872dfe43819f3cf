/** Which methods each path knows, to distinguish a wrong method from a wrong path. */
export class Methods {
  readonly #routes: { pattern: RegExp; methods: Set<string>; url: string }[] = [];

  add(url: string, methods: readonly string[]): void {
    let route = this.#routes.find((known) => known.url === url);
    if (!route) {
      const source = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z0-9]+/g, '[^/]+');
      route = { url, pattern: new RegExp(`^${source}$`), methods: new Set() };
      this.#routes.push(route);
    }
    for (const method of methods) route.methods.add(method);
  }

  /** Methods of the path of `url`; empty where there is no such path. */
  of(url: string): string[] {
    const path = url.split('?')[0]!;
    return [
      ...new Set(this.#routes.filter((r) => r.pattern.test(path)).flatMap((r) => [...r.methods])),
    ].sort();
  }
}
