import { EdgeError } from '../../../contract/core.ts';

/** One observation in pieces that fit into a message of gRPC, and back. */

/** What a stock client cuts into. */
export const PIECE_BYTES = 2 * 1024 * 1024;

export const TRANSFER = { begin: 1, middle: 2, end: 3 } as const;
export type Piece = { readonly transfer_state: number; readonly data: Uint8Array };

/** Views, no copies. One piece alone is an end. */
export function* piecesOf(bytes: Uint8Array): Generator<Piece> {
  for (let at = 0; at < bytes.byteLength || at === 0; at += PIECE_BYTES) {
    const isLast = at + PIECE_BYTES >= bytes.byteLength;
    const state = isLast ? TRANSFER.end : at === 0 ? TRANSFER.begin : TRANSFER.middle;
    yield { transfer_state: state, data: bytes.subarray(at, at + PIECE_BYTES) };
  }
}

/** Takes pieces until the end came. What comes beyond `bytesMax` is refused before it is kept. */
export class PieceJoiner {
  readonly #bytesMax: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The whole when it was the last piece. Throws `wire.refused`. */
  push({ transfer_state: state, data }: Piece): Uint8Array | undefined {
    if (state === TRANSFER.begin) this.#clear();
    else if (state !== TRANSFER.middle && state !== TRANSFER.end)
      throw refused(`transfer state ${state} is none of 1, 2, 3`);
    this.#bytes += data.byteLength;
    if (this.#bytes > this.#bytesMax) {
      this.#clear();
      throw refused(`more than ${this.#bytesMax} bytes in one observation`);
    }
    this.#pieces.push(data);
    if (state !== TRANSFER.end) return undefined;
    const whole = this.#pieces.length === 1 ? data : Buffer.concat(this.#pieces);
    this.#clear();
    return whole;
  }

  #clear(): void {
    this.#pieces = [];
    this.#bytes = 0;
  }
}

function refused(message: string): EdgeError {
  return new EdgeError('wire.refused', { operation: 'receive observation', subject: 'LeRobot', message });
}
