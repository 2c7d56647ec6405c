import type { FastifyInstance } from 'fastify';

interface KnownUrl {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/** Watches the routes that `app` gets from now on; tells which methods a path takes, and none for a path nobody knows. */
export function allowedMethods(app: FastifyInstance): (path: string) => string[] {
  const known = new Map<string, KnownUrl>();
  app.addHook('onRoute', ({ url, method }) => {
    const one = known.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const name of [method].flat()) one.methods.add(name);
    known.set(url, one);
  });
  return (path) => [...known.values()].flatMap(({ pattern, methods }) => (pattern.test(path) ? [...methods] : []));
}

/** `/a/:b/*` as an expression; a slash at the end is free. */
function patternOf(url: string): RegExp {
  const steps = url.split('/').map((step) => (step === '*' ? '.+' : step.startsWith(':') ? '[^/]+' : RegExp.escape(step)));
  return new RegExp(`^${steps.join('/')}/?$`);
}
