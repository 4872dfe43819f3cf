export type { JsonMode } from './json-tools.ts';
export { OpenAiModel, type OpenAiModelOptions } from './openai-model.ts';
