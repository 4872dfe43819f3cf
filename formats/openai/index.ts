export { fencedText } from './code-fence.ts';
export { type ChatAsk, readChatAsk } from './read-request.ts';
export { type ChatHead, ChunkWriter, chatErrorBody, completionBody } from './write-answer.ts';
