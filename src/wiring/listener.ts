import { readFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { cannotListen } from '../core/index.ts';

/** Where a listener of the configuration stands. */
export interface ListenAt {
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile?: string } | undefined;
}

/** Listens at `at`; resolves with the URL. Rejects with `conflict`, naming `path` of the configuration, when the port cannot be had. */
export function listen(server: Server, at: ListenAt, path: string, scheme: 'http' | 'https' | 'ws' | 'wss', options: { readonly reusePort?: boolean } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, path)));
    server.listen({ port: at.port, host: at.host, ...options }, () => {
      const { port } = server.address() as AddressInfo;
      resolve(`${scheme}://${urlHost(at.host)}:${port}`);
    });
  });
}

/** The TLS settings of a listener, from its files; null for a plain one. With a client CA, only its clients are let in. */
export function tlsOf({ tls }: ListenAt) {
  if (tls === undefined) return null;
  const clients = tls.clientCaFile === undefined ? {} : { ca: readFileSync(tls.clientCaFile), requestCert: true, rejectUnauthorized: true };
  return { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile), ...clients };
}

/** How a listener that speaks HTTP is spoken to. */
export function schemeOf({ tls }: ListenAt): 'http' | 'https' {
  return tls === undefined ? 'http' : 'https';
}

/** An address that a client on this machine can use. */
export function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
