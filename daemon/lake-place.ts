import { readSecret } from './secrets.ts';
import type { Settings } from './settings.ts';

const PORT = 5432;

/** Where the lakehouse is on servers: a function that reads it with its credentials; undefined where none are configured. */
export function remotePlaceOf(settings: Settings) {
  const { lake } = settings.config;
  if (lake.catalog === '' || lake.storage === '') return undefined;
  const secret = (key: 'catalog_password_file' | 'storage_key_file' | 'storage_secret_file') =>
    readSecret(lake[key], `lake.${key}`, process.env) ?? '';
  return () => {
    const catalog = new URL(lake.catalog);
    const endpoint = lake.storage_endpoint === '' ? undefined : new URL(lake.storage_endpoint);
    return {
      catalog: {
        ...{ host: catalog.hostname.replace(/^\[|\]$/g, ''), port: Number(catalog.port || PORT) },
        database: decodeURIComponent(catalog.pathname.slice(1)),
        user: decodeURIComponent(catalog.username),
        ...{ password: secret('catalog_password_file'), schema: lake.catalog_schema },
        ...{ tls: lake.catalog_tls, caFile: lake.catalog_ca_file },
      },
      storage: {
        url: lake.storage.endsWith('/') ? lake.storage : `${lake.storage}/`,
        ...{ endpoint: endpoint?.host ?? '', tls: endpoint?.protocol !== 'http:' },
        ...{ region: lake.storage_region, style: lake.storage_style, caFile: lake.storage_ca_file },
        ...{ keyId: secret('storage_key_file'), secret: secret('storage_secret_file') },
      },
    };
  };
}
