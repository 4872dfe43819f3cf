export * from './flow-file.ts';
export * from './manifest.ts';
export * from './package.ts';
export * from './params.ts';
export * from './tree-file.ts';
