import { fileURLToPath } from 'node:url';
import {
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientUnaryCall,
  type ClientWritableStream,
  loadPackageDefinition,
  type Metadata,
  type requestCallback,
  type ServiceClientConstructor,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Piece } from './pieces.ts';

/** The service of transport.proto, for both sides. */
const LOADED = loadPackageDefinition(
  loadSync(fileURLToPath(new URL('./transport.proto', import.meta.url)), {
    keepCase: true,
    enums: Number,
    defaults: true,
  }),
);
const AsyncInference = (LOADED['transport'] as unknown as Record<string, ServiceClientConstructor>)[
  'AsyncInference'
]!;

export const TRANSPORT_SERVICE: ServiceDefinition = AsyncInference.service;

export type Empty = Record<string, never>;
export type Bytes = { readonly data: Buffer };

type Call<Request, Response> = (
  request: Request,
  metadata: Metadata,
  callback: requestCallback<Response>,
) => ClientUnaryCall;

export type TransportClient = Client & {
  readonly Ready: Call<Empty, Empty>;
  readonly SendPolicyInstructions: Call<{ data: Uint8Array }, Empty>;
  readonly GetActions: Call<Empty, Bytes>;
  readonly SendObservations: (
    metadata: Metadata,
    callback: requestCallback<Empty>,
  ) => ClientWritableStream<Piece>;
};

export function makeTransportClient(
  address: string,
  credentials: ChannelCredentials,
  options: ChannelOptions,
): TransportClient {
  return new AsyncInference(address, credentials, options) as unknown as TransportClient;
}

/** One message of gRPC: a piece of 2 MB and its head; what a stock peer takes as well. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** Metadata of this project, beside what LeRobot says: a policy's card, its hash, the code of an error. */
export const META = {
  /** Asks `Ready` for the card of this policy. */
  policy: 'auraison-policy',
  card: 'auraison-card-bin',
  hash: 'auraison-policy-hash',
  code: 'auraison-code',
} as const;
