export * from './decode-any.ts';
export * from './definitions.ts';
export * from './encode-any.ts';
export * from './header-stamp.ts';
