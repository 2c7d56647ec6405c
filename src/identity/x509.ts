let loaded: ReturnType<typeof load> | null = null;

/** The library that makes certificates, loaded when the first one is made: fleets without them do not pay for it. */
export function x509(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

async function load() {
  // It wants this global to be there.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}
