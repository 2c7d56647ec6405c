import { Type, type Static } from 'typebox';

const Line = Type.String({ minLength: 1, maxLength: 200 });

const TaxId = Type.Object(
  {
    type: Type.String({ minLength: 1, maxLength: 40, description: 'As `eu_vat` or `us_ein`.' }),
    value: Type.String({ minLength: 1, maxLength: 60 }),
  },
  { additionalProperties: false },
);

/** Who sells or buys, as it stands on an invoice. */
export const PartySchema = Type.Object(
  {
    name: Line,
    address: Type.Array(Line, { maxItems: 8, description: 'Lines of the address.' }),
    country: Type.String({ pattern: '^[A-Z]{2}$', description: 'Two letters, ISO 3166-1.' }),
    tax_ids: Type.Optional(Type.Array(TaxId, { maxItems: 5 })),
    email: Type.Optional(Type.String({ minLength: 3, maxLength: 254 })),
    reference: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: "The buyer's own reference, such as a purchase order." })),
  },
  { additionalProperties: false },
);

export type Party = Static<typeof PartySchema>;

/** A tax on the whole of an invoice, beside others. */
export const TaxRateSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 60, description: 'As `VAT`.' }),
    basis_points: Type.Integer({ minimum: 0, maximum: 10_000, description: 'Hundredths of a per cent: 1900 is 19 %.' }),
  },
  { additionalProperties: false },
);

export type TaxRate = Static<typeof TaxRateSchema>;
