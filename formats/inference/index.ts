export { encodePayload, isJson, JSON_ENCODING, MSGPACK, type Payload, parsePayload } from './payload.ts';
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
