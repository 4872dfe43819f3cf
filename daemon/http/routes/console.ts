import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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

/** One file as it goes out: plain and compressed. */
type Content = { readonly plain: Buffer; readonly packed: Buffer };
const pack = promisify(gzip);

/**
 * The web pages of this robot: what `npm run console` made in `console/built`, read once. They hold no data, so they
 * need no token. The names of assets hold a hash of their content: a browser asks for each only once.
 */
export function consoleRoutes(app: FastifyInstance, folder: URL): void {
  const serve = (path: string, name: string, caching: string) => {
    let content: Promise<Content> | undefined;
    app.get(path, { config: { open: true }, schema: { hide: true } }, async (request, reply) => {
      content ??= contentOf(new URL(name, folder));
      const { plain, packed } = await content;
      const small = takesGzip(request);
      if (small) void reply.header('content-encoding', 'gzip');
      return reply
        .type(TYPES[extname(name)] ?? 'application/octet-stream')
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('cache-control', caching)
        .header('vary', 'accept-encoding')
        .send(small ? packed : plain);
    });
  };
  serve('/', 'index.html', 'no-cache');
  for (const name of readdirSync(new URL('assets/', folder)))
    serve(`/assets/${name}`, `assets/${name}`, 'public, max-age=31536000, immutable');
}

async function contentOf(file: URL): Promise<Content> {
  const plain = await readFile(file);
  return { plain, packed: await pack(plain) };
}

function takesGzip(request: FastifyRequest): boolean {
  return /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
}
