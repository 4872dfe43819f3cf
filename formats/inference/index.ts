export {
  asMap,
  asMillis,
  asText,
  encodePayload,
  isJson,
  JSON_ENCODING,
  MSGPACK,
  type Payload,
  parsePayload,
} from './payload.ts';
export { CHAT_SCHEMA, ERROR_SCHEMA, PLAN_SCHEMA, VLA_SCHEMA } from './schemas.ts';
export { servedBody } from './served-body.ts';
export { readPicture, readTensor, writePicture, writeTensor } from './tensors.ts';
export {
  chunkBody,
  decodeChunk,
  decodeDescription,
  decodeVlaRequest,
  descriptionBody,
  encodeChunk,
  encodeDescription,
  encodeVlaRequest,
  type VlaRequest,
  vlaRequest,
} from './vla.ts';
