import type { Application, SkillShelf } from '../../contract/core.ts';
import { FolderShelf } from './index.ts';

/** Skills by application; those of an older version of a package as long as a run of it asks for them. */
export class SkillShelves {
  readonly #today = new Map<string, SkillShelf>();
  #apps: readonly Application[] = [];
  /** The files of a folder do not change: those of packages are copies, others came with the daemon. */
  readonly #byFolder = new Map<string, SkillShelf>();

  get today(): ReadonlyMap<string, SkillShelf> {
    return this.#today;
  }

  take(apps: readonly Application[]): void {
    this.#apps = apps;
    this.#today.clear();
    const folders = new Set(apps.map(({ folder }) => folder));
    for (const folder of this.#byFolder.keys()) if (!folders.has(folder)) this.#byFolder.delete(folder);
    for (const app of apps) {
      const shelf = this.of(app);
      if (shelf) this.#today.set(app.name, shelf);
    }
  }

  serving(intent: string): Application | undefined {
    return this.#apps.find(({ intents }) => intents.some(({ type }) => type === intent));
  }

  of(app: Pick<Application, 'name' | 'folder'> | undefined): SkillShelf | undefined {
    if (app?.folder === undefined) return undefined;
    const known = this.#byFolder.get(app.folder);
    if (known) return known;
    const shelf = new FolderShelf(app.name, app.folder);
    this.#byFolder.set(app.folder, shelf);
    return shelf;
  }
}
