import manifest from '../package.json' with { type: 'json' };

/** Meridian's own version. */
export const VERSION: string = manifest.version;
