import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A file system of its own in a file: ext4 on a loop mount. Its image can be copied while it is used; what
 * the copy holds is what a power cut at that moment would leave. Needs root and loop devices.
 */
export class LoopImage {
  readonly image: string;
  readonly mountPoint: string;
  /** Where the journal begins in the image, in bytes. */
  readonly #journalAt: number;

  private constructor(image: string, mountPoint: string) {
    this.image = image;
    this.mountPoint = mountPoint;
    this.#journalAt = Number(tool('debugfs', ['-R', 'bmap <8> 0', image])) * blockSize(image);
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
   * A copy during which the journal's tail moved is taken again: it may hold a block from before its
   * checkpoint beside a journal from after it, which no disk does that flushes when told to.
   */
  cutLive(folder: string, name: string): LoopImage {
    for (let attempt = 0; attempt < 50; attempt++) {
      const tail = this.#journalTail();
      const copy = this.#copy(folder, name);
      if (this.#journalTail() === tail) return LoopImage.mount(folder, name, copy);
    }
    throw new Error("the journal's tail moved during every copy: the host is too slow for this journal");
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

  /** Sequence and block of the oldest transaction that a mount would replay (jbd2: s_sequence, s_start). */
  #journalTail(): string {
    const superblock = Buffer.alloc(32);
    const file = openSync(this.image, 'r');
    try {
      readSync(file, superblock, 0, superblock.length, this.#journalAt);
    } finally {
      closeSync(file);
    }
    if (superblock.readUInt32BE(0) !== 0xc03b3998) throw new Error(`no journal at ${this.#journalAt}`);
    return `${superblock.readUInt32BE(24)} ${superblock.readUInt32BE(28)}`;
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

function blockSize(image: string): number {
  const [, size] = /^Block size:\s*(\d+)$/m.exec(tool('dumpe2fs', ['-h', image])) ?? [];
  if (size === undefined) throw new Error(`${image}: dumpe2fs says no block size`);
  return Number(size);
}

function tool(command: string, args: readonly string[]): string {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env, encoding: 'utf8' });
}
