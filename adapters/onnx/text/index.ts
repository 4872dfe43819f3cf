export { textModelFinder } from './find-model.ts';
export { installTextModel, TEXT_MODEL } from './text-model.ts';
export { TextProcess } from './text-process.ts';
