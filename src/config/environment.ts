import { isPair, isScalar, isSeq, Scalar, visit, type Document } from 'yaml';
import type { ConfigPath } from './schema-walk.ts';

/** The environment of a process, as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentFault {
  readonly path: ConfigPath;
  readonly message: string;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const NUMBER_OR_FLAG = /^(-?\d+(\.\d+)?|true|false)$/;

/**
 * Puts the environment's values into the text values of `document`: `${NAME}`, `${NAME:-default}` when unset or empty, and
 * `$${` for a plain `${`. What stood without quotes may become a number or a boolean; what stood in quotes stays text.
 */
export function substituteEnvironment(document: Document, env: Environment): EnvironmentFault[] {
  const faults: EnvironmentFault[] = [];
  visit(document, {
    Scalar(key, scalar, ancestors) {
      if (key === 'key' || typeof scalar.value !== 'string' || !scalar.value.includes('${')) return;
      const path = pathOf(key, ancestors);
      const text = scalar.value.replace(REFERENCE, (reference, inside: string | undefined) => {
        if (inside === undefined) return '${';
        const value = lookUp(inside, env);
        if (typeof value === 'string') return value;
        faults.push({ path, message: value.fault });
        return reference;
      });
      scalar.value = scalar.type === Scalar.PLAIN && NUMBER_OR_FLAG.test(text) ? (JSON.parse(text) as unknown) : text;
    },
  });
  return faults;
}

function lookUp(inside: string, env: Environment): string | { readonly fault: string } {
  const [, name, fallback] = NAME_AND_DEFAULT.exec(inside) ?? [];
  if (name === undefined) return { fault: 'has a ${…} that is neither ${NAME} nor ${NAME:-default}' };
  const value = env[name];
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
  return value ?? { fault: `needs the environment variable ${name}, which is not set` };
}

function pathOf(key: unknown, ancestors: readonly unknown[]): ConfigPath {
  const path: (string | number)[] = [];
  ancestors.forEach((ancestor, depth) => {
    if (isPair(ancestor)) path.push(isScalar(ancestor.key) ? String(ancestor.key.value) : '');
    if (isSeq(ancestor)) path.push(depth === ancestors.length - 1 ? Number(key) : ancestor.items.indexOf(ancestors[depth + 1]));
  });
  return path;
}
