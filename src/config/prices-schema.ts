import Type, { type Static } from 'typebox';
import { WEEKDAYS } from '../core/index.ts';
import type { CamelCase } from './camel-case.ts';
import { choice, count, dictionary, list, requiredSection, section, text } from './fields.ts';

const DAYS = [...WEEKDAYS, 'holiday'] as const;

function instant(description: string) {
  return Type.String({ description, 'x-expected': 'an instant with its zone, as 2025-02-08T16:00:00Z' });
}

function clock(description: string, pattern: string) {
  return Type.String({ description, pattern, 'x-expected': 'a time of day in quotes, as "16:30"' });
}

function price(description: string) {
  return count(`${description}, in nano-dollars per million tokens: $0.07 is 70000000.`, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
}

// TypeBox fills in the defaults of a dictionary's values only where the value has one itself.
const calendar = section('Weekly windows by the clocks of a time zone.', {
  time_zone: text('Name of the zone, as in the IANA database.'),
  windows: list(
    'Windows; those of different names must not share a minute.',
    requiredSection('A part of the day. It ends on the next day when `to` is not after `from`.', {
      name: text('What rows call it.'),
      days: list('Days on which it begins.', Type.Enum([...DAYS]), { minItems: 1, default: [...DAYS] }),
      from: clock('When it begins.', '^([01]\\d|2[0-3]):[0-5]\\d$'),
      to: clock('When it ends.', '^(([01]\\d|2[0-3]):[0-5]\\d|24:00)$'),
    }),
    { minItems: 1 },
  ),
  holidays: list('Dates that count as `holiday` and not as their weekday.', text('A date, as 2026-12-25.'), { default: [] }),
});

export const PricesSchema = Type.Object(
  {
    currency: choice('Of all prices.', ['USD'], 'USD'),
    calendars: dictionary('Calendars by name.', calendar, { default: {} }),
    prices: list(
      'Dated prices. Rows are added, and never changed once something was priced by them.',
      requiredSection('Prices of one model in one tier.', {
        model: text('Name of the model, as clients ask for it.'),
        tier: choice('Which requests it is for.', ['standard', 'priority', 'batch'], 'standard'),
        effective_from: instant('From when on it holds.'),
        effective_to: Type.Optional(instant('Until when, this instant not included; for good without it.')),
        calendar: Type.Optional(text('It holds only in some hours by this calendar.')),
        window: Type.Optional(text('The window in which it holds; outside all windows without it.')),
        input: price('A prompt token that was not cached'),
        input_cached: price('A prompt token that was cached'),
        output: price('A token of the answer'),
      }),
      { minItems: 1 },
    ),
  },
  { title: 'Meridian prices', description: 'A price book.', additionalProperties: false },
);

/** The price book as YAML spells it, complete with defaults. */
export type PricesSettings = Static<typeof PricesSchema>;

/** The price book as code reads it. */
export type PricesConfig = CamelCase<PricesSettings>;
