import type { Random } from './random.ts';

/** A feed-forward network of rectified layers, trained by Adam on mean squared error. Row-major weights [in, out]. */
export class Network {
  readonly sizes: readonly number[];
  readonly weights: Float32Array[] = [];
  readonly biases: Float32Array[] = [];
  readonly #moments: { m: Float32Array; v: Float32Array }[] = [];
  #steps = 0;

  constructor(sizes: readonly number[], random: Random) {
    this.sizes = sizes;
    for (let l = 0; l + 1 < sizes.length; l++) {
      const scale = Math.sqrt(2 / sizes[l]!);
      this.weights.push(
        Float32Array.from({ length: sizes[l]! * sizes[l + 1]! }, () => random.normal() * scale),
      );
      this.biases.push(new Float32Array(sizes[l + 1]!));
    }
    for (const tensor of this.#parameters())
      this.#moments.push({ m: new Float32Array(tensor.length), v: new Float32Array(tensor.length) });
  }

  /** Activations of every layer for `count` rows of `input`. */
  forward(input: Float32Array, count: number): Float32Array[] {
    const layers = [input];
    for (let l = 0; l < this.weights.length; l++) {
      const last = l === this.weights.length - 1;
      layers.push(
        dense(
          layers[l]!,
          this.weights[l]!,
          this.biases[l]!,
          count,
          this.sizes[l]!,
          this.sizes[l + 1]!,
          !last,
        ),
      );
    }
    return layers;
  }

  /** One Adam step on a batch; returns the mean squared error before it. */
  train(input: Float32Array, target: Float32Array, count: number, rate: number): number {
    const layers = this.forward(input, count);
    const output = layers.at(-1)!;
    let gradient = new Float32Array(output.length);
    let loss = 0;
    for (let i = 0; i < output.length; i++) {
      const error = output[i]! - target[i]!;
      loss += error * error;
      gradient[i] = (2 * error) / output.length;
    }
    const updates: Float32Array[] = [];
    for (let l = this.weights.length - 1; l >= 0; l--) {
      const { dw, db, dx } = backward(
        layers[l]!,
        gradient,
        this.weights[l]!,
        count,
        this.sizes[l]!,
        this.sizes[l + 1]!,
        l > 0,
      );
      updates.unshift(dw, db);
      gradient = dx;
    }
    this.#step(updates, rate);
    return loss / output.length;
  }

  #parameters(): Float32Array[] {
    return this.weights.flatMap((weight, l) => [weight, this.biases[l]!]);
  }

  #step(updates: readonly Float32Array[], rate: number): void {
    this.#steps++;
    const c1 = 1 - 0.9 ** this.#steps;
    const c2 = 1 - 0.999 ** this.#steps;
    for (const [index, tensor] of this.#parameters().entries()) {
      const { m, v } = this.#moments[index]!;
      const g = updates[index]!;
      for (let i = 0; i < tensor.length; i++) {
        m[i] = 0.9 * m[i]! + 0.1 * g[i]!;
        v[i] = 0.999 * v[i]! + 0.001 * g[i]! * g[i]!;
        tensor[i] = tensor[i]! - (rate * (m[i]! / c1)) / (Math.sqrt(v[i]! / c2) + 1e-8);
      }
    }
  }
}

function dense(
  x: Float32Array,
  w: Float32Array,
  b: Float32Array,
  count: number,
  inputs: number,
  outputs: number,
  rectify: boolean,
): Float32Array {
  const out = new Float32Array(count * outputs);
  for (let n = 0; n < count; n++) {
    const row = n * outputs;
    for (let j = 0; j < outputs; j++) out[row + j] = b[j]!;
    for (let i = 0; i < inputs; i++) {
      const value = x[n * inputs + i]!;
      if (value === 0) continue;
      const from = i * outputs;
      for (let j = 0; j < outputs; j++) out[row + j] = out[row + j]! + value * w[from + j]!;
    }
    if (rectify) for (let j = 0; j < outputs; j++) if (out[row + j]! < 0) out[row + j] = 0;
  }
  return out;
}

/** Gradients of weights, biases and, where wanted, of the inputs (zero where the layer before was clipped). */
function backward(
  x: Float32Array,
  dy: Float32Array,
  w: Float32Array,
  count: number,
  inputs: number,
  outputs: number,
  wantInputs: boolean,
) {
  const dw = new Float32Array(w.length);
  const db = new Float32Array(outputs);
  const dx = new Float32Array(wantInputs ? count * inputs : 0);
  for (let n = 0; n < count; n++) {
    const row = n * outputs;
    for (let j = 0; j < outputs; j++) db[j] = db[j]! + dy[row + j]!;
    for (let i = 0; i < inputs; i++) {
      const value = x[n * inputs + i]!;
      if (value === 0) continue;
      const from = i * outputs;
      let back = 0;
      for (let j = 0; j < outputs; j++) {
        const g = dy[row + j]!;
        dw[from + j] = dw[from + j]! + value * g;
        back += g * w[from + j]!;
      }
      if (wantInputs) dx[n * inputs + i] = back;
    }
  }
  return { dw, db, dx };
}
