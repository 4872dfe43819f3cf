import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/**
 * The pages may load from and call only this server, run no inline code, make no markup of text, and not be framed.
 * Images come with a token, so pages hold them as blobs.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data: blob:",
  "worker-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const pack = promisify(gzip);

/**
 * The web pages of this robot: what `npm run console` made in `console/built`, read at the start. They hold no data, so they
 * need no token. The names of assets hold a hash of their content: a browser asks for each only once.
 */
export function consoleRoutes(app: FastifyInstance, folder: URL): void {
  const serve = (path: string, name: string, caching: string) => {
    // Read at the start: an update of the files on disk changes no page that is open.
    const plain = readFileSync(new URL(name, folder));
    let packed: Promise<Buffer> | undefined;
    app.get(path, { config: { open: true }, schema: { hide: true } }, async (request, reply) => {
      const small = takesGzip(request);
      if (small) {
        packed ??= pack(plain);
        void reply.header('content-encoding', 'gzip');
      }
      return reply
        .type(TYPES[extname(name)] ?? 'application/octet-stream')
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('cache-control', caching)
        .header('vary', 'accept-encoding')
        .send(small ? await packed : plain);
    });
  };
  serve('/', 'index.html', 'no-cache');
  for (const name of readdirSync(new URL('assets/', folder)))
    serve(`/assets/${name}`, `assets/${name}`, 'public, max-age=31536000, immutable');
}

function takesGzip(request: FastifyRequest): boolean {
  return /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}
