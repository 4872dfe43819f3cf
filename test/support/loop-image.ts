import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A file system of its own in a file: ext4 on a loop mount. Its image can be copied while it is used; what
 * the copy holds is what a power cut at that moment would leave. Needs root and loop devices.
 */
export class LoopImage {
  readonly image: string;
  readonly mountPoint: string;

  private constructor(image: string, mountPoint: string) {
    this.image = image;
    this.mountPoint = mountPoint;
  }

  /** Makes an ext4 of `megabytes` in `folder` and mounts it. */
  static create(folder: string, name: string, megabytes: number): LoopImage {
    const image = join(folder, `${name}.img`);
    execFileSync('truncate', ['-s', `${megabytes}M`, image]);
    // Nothing is written later than when it is asked for: a copy sees the true state of the disk.
    const journal = megabytes >= 64 ? ['-J', 'size=16'] : [];
    const eager = ['-E', 'lazy_itable_init=0,lazy_journal_init=0'];
    tool('mkfs.ext4', ['-q', '-m', '0', ...journal, ...eager, image]);
    return LoopImage.mount(folder, name, image);
  }

  /** Mounts an image; the journal of a copy is replayed by that. */
  static mount(folder: string, name: string, image: string): LoopImage {
    const mountPoint = join(folder, name);
    mkdirSync(mountPoint, { recursive: true });
    tool('mount', ['-o', 'loop', image, mountPoint]);
    return new LoopImage(image, mountPoint);
  }

  /**
   * The image as it is while it is written, mounted elsewhere. The copy takes some milliseconds, so later
   * writes may be in it without earlier ones, as on a disk that reorders what it was not told to keep.
   */
  cutLive(folder: string, name: string): LoopImage {
    return LoopImage.mount(folder, name, this.#copy(folder, name));
  }

  /** The image at one instant: the process that writes stands still until nothing moves any more. */
  cutStill(folder: string, name: string, pid: number): LoopImage {
    process.kill(pid, 'SIGSTOP');
    try {
      for (let attempt = 0; attempt < 50; attempt++) {
        const copy = this.#copy(folder, name);
        if (spawnSync('cmp', ['-s', this.image, copy]).status === 0)
          return LoopImage.mount(folder, name, copy);
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    throw new Error('the image did not come to rest');
  }

  #copy(folder: string, name: string): string {
    const copy = join(folder, `${name}.img`);
    tool('cp', ['--sparse=always', this.image, copy]);
    return copy;
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.mountPoint);
    return bavail * bsize;
  }

  /** Unmounts and removes the image. */
  remove(): void {
    tool('umount', [this.mountPoint]);
    rmSync(this.mountPoint, { recursive: true });
    rmSync(this.image);
  }
}

/** A folder for images: in memory where there is room, since a copy must be quick to be of one moment. */
export function imageFolder(): string {
  const memory = '/dev/shm';
  const roomy = existsSync(memory) && statfsSync(memory).bavail * statfsSync(memory).bsize > 2 ** 30;
  return mkdtempSync(join(roomy ? memory : tmpdir(), 'auraison-image-'));
}

/** Why loop mounts cannot be used on this host; `undefined` when they can. */
export function loopMountFault(): string | undefined {
  if (process.getuid?.() !== 0) return 'loop mounts need root';
  const folder = imageFolder();
  try {
    LoopImage.create(folder, 'probe', 16).remove();
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tool(command: string, args: readonly string[]): void {
  const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: path } });
}
