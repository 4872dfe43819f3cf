import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

const SCRIPTS = [
  ...['console', 'api', 'connections', 'elements', 'pages', 'map-view', 'arm-view'],
  ...['routes-page', 'route-book', 'runs-page', 'trace-rows'],
];
const FILES: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/console.css', 'console.css', 'text/css; charset=utf-8'],
  ...SCRIPTS.map((name) => [`/${name}.js`, `${name}.js`, 'text/javascript; charset=utf-8'] as const),
];

/** The page may load from and call only this server, run no inline code and not be framed. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The web page of this robot: files of `console/`, read once. They hold no data, so they need no token. */
export function consoleRoutes(app: FastifyInstance, folder: URL): void {
  for (const [path, name, type] of FILES) {
    let content: Promise<Buffer> | undefined;
    app.get(path, { config: { open: true }, schema: { hide: true } }, async (_request, reply) => {
      content ??= readFile(new URL(name, folder));
      return reply
        .type(type)
        .header('content-security-policy', CONTENT_SECURITY_POLICY)
        .header('cache-control', 'no-cache')
        .send(await content);
    });
  }
}
