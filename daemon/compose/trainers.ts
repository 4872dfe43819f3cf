import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirOf } from '../paths.ts';

/** Trainers that come with the daemon. */
const TRAINERS: Readonly<Record<string, string>> = {
  light: '../../apps/ar4-physical-ai/trainer',
  act: '../../adapters/onnx/trainers/act',
};

/** The folder of a trainer: one of this project by name, else a path. */
export function trainerFolder(name: string): string {
  const own = Object.hasOwn(TRAINERS, name) ? TRAINERS[name] : undefined;
  return own === undefined ? resolve(name) : fileURLToPath(new URL(own, import.meta.url));
}

/** Environments of trainers: with the caches of this user, in no repository. */
export function environmentsDir(env: Readonly<Record<string, string | undefined>>): string {
  return join(cacheDirOf(env), 'trainers');
}
