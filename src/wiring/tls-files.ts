import { createSecureContext, Server as TlsServer } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import type { Server } from 'node:http';
import { tlsOf, type ListenAt } from './listener.ts';

/** The files that a listener's certificate comes from, to be read again when the configuration is. */
export class TlsFiles {
  /** Where the configuration says them, e.g. `listen.public.tls`. */
  readonly path: string;
  readonly #at: ListenAt;
  readonly #server: Server;
  #known: ReturnType<typeof tlsOf>;

  constructor(path: string, at: ListenAt, server: Server) {
    this.path = path;
    this.#at = at;
    this.#server = server;
    this.#known = tlsOf(at);
  }

  /** Reads them; the way to serve new connections by what they say now, null when that is what they said before. Throws when they cannot be used. */
  changed(): (() => void) | null {
    const now = tlsOf(this.#at);
    const server = this.#server;
    if (now === null || !(server instanceof TlsServer) || isDeepStrictEqual(now, this.#known)) return null;
    createSecureContext(now);
    return () => {
      server.setSecureContext(now);
      this.#known = now;
    };
  }
}
