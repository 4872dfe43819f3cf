import { EdgeError } from '../../contract/core.ts';

/** One observation in pieces that fit into a message of gRPC, and back. */

/** What a stock client cuts into. */
export const PIECE_BYTES = 2 * 1024 * 1024;

/** Each costs memory besides its bytes; a stock client needs 16 for 32 MiB. */
const PIECES_MAX = 1_024;

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

/** What all uploads of a server may hold together, bytes. */
export class UploadBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws `cell.overloaded`. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax)
      throw new EdgeError('cell.overloaded', {
        operation: 'receive observation',
        subject: 'LeRobot',
        message: `observations of all clients that are on their way hold ${this.#bytes} bytes already`,
      });
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Takes pieces until the end came. What comes beyond `bytesMax` is refused before it is kept. */
export class PieceJoiner {
  readonly #bytesMax: number;
  readonly #budget: UploadBudget;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  constructor(bytesMax: number, budget: UploadBudget) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
  }

  /** The whole when it was the last piece. Throws `wire.refused`, `cell.overloaded`. */
  push({ transfer_state: state, data }: Piece): Uint8Array | undefined {
    if (state === TRANSFER.begin) this.clear();
    else if (state !== TRANSFER.middle && state !== TRANSFER.end)
      throw refused(`transfer state ${state} is not 1, 2 or 3`);
    if (this.#bytes + data.byteLength > this.#bytesMax)
      throw refused(`more than ${this.#bytesMax} bytes in one observation`);
    if (this.#pieces.length >= PIECES_MAX) throw refused(`more than ${PIECES_MAX} pieces in one observation`);
    this.#budget.take(data.byteLength);
    this.#bytes += data.byteLength;
    this.#pieces.push(data);
    if (state !== TRANSFER.end) return undefined;
    return this.#pieces.length === 1 ? data : Buffer.concat(this.#pieces);
  }

  /** Lets go of what it holds. May be called twice. */
  clear(): void {
    this.#budget.give(this.#bytes);
    this.#pieces = [];
    this.#bytes = 0;
  }
}

function refused(message: string): EdgeError {
  return new EdgeError('wire.refused', { operation: 'receive observation', subject: 'LeRobot', message });
}
