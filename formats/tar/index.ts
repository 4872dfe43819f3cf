export { readTar, type TarFile, type TarLimits, type TarResult } from './tar-reader.ts';
export { writeTar } from './tar-writer.ts';
