export { type DecodeOptions, decodeMsgpack, type NumpyDialect } from './decode.ts';
export { encodeMsgpack } from './encode.ts';
export { decodeNpy, encodeNpy } from './npy.ts';
export { NumpyArray } from './numpy-array.ts';
export { MSGPACK_LIMITS, type MsgpackLimits } from './scan.ts';
