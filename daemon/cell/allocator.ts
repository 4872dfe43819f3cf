/**
 * Loading a cell leaves its heap in pieces that glibc keeps: with these limits it gives them back, and threads share
 * arenas. The execution cell has none of them: its frames of 900 KB would be mapped and unmapped one by one, and its threads
 * would wait for each other. `forgetAllocator` removes them from what other programs inherit.
 */
export const ALLOCATOR: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024),
  MALLOC_MMAP_THRESHOLD_: String(64 * 1024),
};

/** In the cell, at its start: the allocator has read them, and its children are other programs. */
export function forgetAllocator(env: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(ALLOCATOR)) if (env[name] === value) delete env[name];
}
