export * from './decode-any.ts';
export * from './definitions.ts';
export * from './encode-any.ts';
export * from './header-stamp.ts';
export * from './lifecycle.ts';
export * from './parameters.ts';
export * from './qos.ts';
export { type TextLookup, TypeBook } from './type-book.ts';
export { rihs01, type TypeDescription } from './type-description.ts';
