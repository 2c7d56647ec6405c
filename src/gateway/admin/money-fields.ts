import { Type } from 'typebox';
import { MeridianError, parseUsd, type FemtoUsd } from '../../core/index.ts';

/** An amount in a body: text, so that no digit is lost on the way. */
export const Dollars = Type.String({ description: 'Dollars as text, to 15 decimals: "25.00".', examples: ['25.00'] });

/** An amount in an answer. */
export const ExactDollars = Type.String({ description: 'Dollars, exact.' });

/** Throws `invalid_value` that names `param`. */
export function dollars(text: string, param: string): FemtoUsd {
  const amount = parseUsd(text);
  if (amount !== null) return amount;
  throw new MeridianError('invalid_value', { param, message: `Invalid value for '${param}': expected dollars as text, as "25.00", got "${text.slice(0, 60)}".` });
}

/** The only currency there is. */
export const Currency = Type.Optional(Type.Enum(['usd'], { description: 'usd, the only one there is.' }));

export const OrganizationId = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'Id of the organization.' });
