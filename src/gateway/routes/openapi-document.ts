import type { FastifyInstance } from 'fastify';

type Paths = Record<string, object>;

const SECURITY = {
  apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `mk_live_…`.' },
  adminKey: { type: 'http', scheme: 'bearer', description: 'The admin key.' },
};

/** One OpenAPI document of both listeners; each path names its own. */
export function openapiDocument(publicApp: FastifyInstance, adminApp: FastifyInstance): object {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Meridian',
      description:
        'One OpenAI-compatible endpoint for models that run on GPU nodes in many regions, and the administration of it. ' +
        'Every error is OpenAI-shaped; `docs/errors.md` lists the codes.',
      version: '1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: { securitySchemes: SECURITY, schemas: { Error: publicApp.getSchema('Error') } },
    paths: {
      ...pathsOf(publicApp, 'http://127.0.0.1:8080', 'apiKey'),
      ...pathsOf(adminApp, 'http://127.0.0.1:8081', 'adminKey'),
    },
  };
}

function pathsOf(app: FastifyInstance, url: string, scheme: keyof typeof SECURITY): Paths {
  const { paths = {} } = app.swagger();
  const named: Paths = {};
  for (const [path, operations] of Object.entries(paths)) {
    const secured = Object.entries(operations ?? {}).map(([method, operation]) => [method, { security: [{ [scheme]: [] }], ...Object(operation) }]);
    named[path] = { servers: [{ url }], ...Object.fromEntries(secured) };
  }
  return named;
}
