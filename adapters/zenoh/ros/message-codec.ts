import { EdgeError, type MessageValue } from '../../../contract/core.ts';
import { decodeAny, encodeAny, type TypeBook } from '../../../formats/ros2/index.ts';

/** Values to CDR and back, for services and actions. */
export class MessageCodec {
  readonly #types: TypeBook;

  constructor(types: TypeBook) {
    this.#types = types;
  }

  /** `schema.invalid` naming the field that does not fit, `sample.unknown_type` without a definition. */
  encode(type: string, value: MessageValue): Uint8Array {
    const definition = this.#types.definition(type);
    try {
      return encodeAny(type, value, definition);
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== 'sample.malformed') throw error;
      throw new EdgeError('schema.invalid', {
        operation: 'encode message',
        subject: type,
        message: error.message,
        cause: error,
      });
    }
  }

  /** `sample.malformed`, `sample.unknown_type`. */
  decode(type: string, bytes: Uint8Array): MessageValue {
    return decodeAny(type, bytes, this.#types.definition(type));
  }
}
