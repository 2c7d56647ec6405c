import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { MeridianError } from '../../core/index.ts';
import { ENGINE_SAMPLING, isEngineControl } from './sampling.ts';
import { wrongParameter } from './wrong-parameter.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Checks a parsed body: every field known, every type right. Throws the error that names the first wrong parameter. */
export type BodyCheck = (body: JsonObject) => void;

export function bodyCheck(schema: TSchema & { readonly properties: object }): BodyCheck {
  const validator = Compile(schema);
  const known = new Set(Object.keys(schema.properties));
  return (body) => {
    for (const name of Object.keys(body)) if (!known.has(name) && !ENGINE_SAMPLING.has(name)) throw unknownParameter(name);
    if (!validator.Check(body)) throw wrongParameter(validator.Errors(body), body);
  };
}

function unknownParameter(name: string): MeridianError {
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  if (isEngineControl(name)) {
    const message = `The parameter '${shown}' steers the engine and is set by the gateway; leave it out.`;
    return new MeridianError('unsupported_parameter', { param: shown, message });
  }
  return new MeridianError('unknown_parameter', { param: shown, message: `Unknown parameter: '${shown}'.` });
}
