export { findTextModel, installTextModel, TEXT_MODEL, type TextInstalled } from './text-model.ts';
export { TextProcess } from './text-process.ts';
