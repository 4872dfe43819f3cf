export * from './cdr-reader.ts';
export * from './cdr-writer.ts';
export * from './geometry.ts';
export * from './images.ts';
export * from './multi-array.ts';
export * from './navigation.ts';
export * from './sensing.ts';
export * from './trajectory.ts';
