export { makeArchive, readArchive } from './archive.ts';
export { checkFile, keyOf, type Parsed } from './checked-file.ts';
export { type JudgeParts, judgePackage, type PackageParsers, type PackageVerdict } from './judge-package.ts';
export { DOOR, loadAppModule, withModule } from './load-module.ts';
export { bannedOnDisk, guardFolder, ModuleGuard } from './module-guard.ts';
export { digestOf, type FilesResult, readPackageFiles, SIGNATURE_FILE } from './package-files.ts';
export {
  builtInView,
  PackageShelf,
  type ShelfParts,
  type ShelvedApp,
} from './package-shelf.ts';
export { watchedStamp } from './package-stamp.ts';
export { type Lock, type LockRow, PackageStore } from './package-store.ts';
export type { ShelfRules } from './shelf-rules.ts';
export { signDigest, signerOf, type TrustedKeys, trustedKey } from './signature.ts';
export {
  faultText,
  judgeWhole,
  type PackageRules,
  packageRules,
  type ReadPackage,
  type WholeParts,
} from './whole-package.ts';
