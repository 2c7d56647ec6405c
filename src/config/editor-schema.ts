import type { TSchema } from 'typebox';
import { DemoSchema } from './demo-schema.ts';
import { GatewaySchema } from './gateway-schema.ts';
import { NodeSchema } from './node-schema.ts';
import { PricesSchema } from './prices-schema.ts';

/** The JSON Schemas that editors check the YAML files with: file name in `config/`, and text. */
export function editorSchemas(): ReadonlyArray<{ readonly file: string; readonly text: string }> {
  return [
    { file: 'gateway.schema.json', text: schemaText(GatewaySchema) },
    { file: 'node.schema.json', text: schemaText(NodeSchema) },
    { file: 'demo.schema.json', text: schemaText(DemoSchema) },
    { file: 'prices.schema.json', text: schemaText(PricesSchema) },
  ];
}

function schemaText(schema: TSchema): string {
  const written = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...(forEditors(schema) as object) };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/** A value that the environment gives when the file is loaded. */
const REFERENCE = { type: 'string', pattern: '\\$\\{' };
const SCALARS = ['string', 'integer', 'number', 'boolean'];

/**
 * TypeBox counts a field with a default as required, because it is there once loaded; who writes a file may leave it out,
 * and may leave any scalar to the environment.
 */
function forEditors(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(forEditors);
  if (!isObject(schema)) return schema;
  const { 'x-expected': _, ...inner } = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, forEditors(value)]));
  if (isScalarSchema(schema)) {
    const { description, default: fallback, ...rule } = inner;
    return { description, default: fallback, anyOf: [rule, REFERENCE] };
  }
  const { properties, required } = schema;
  if (!isObject(properties) || !Array.isArray(required)) return inner;
  return { ...inner, required: required.filter((key: string) => !hasDefault(properties[key])) };
}

function isScalarSchema({ type, enum: values }: Record<string, unknown>): boolean {
  return Array.isArray(values) || (typeof type === 'string' && SCALARS.includes(type));
}

function hasDefault(schema: unknown): boolean {
  return isObject(schema) && schema['default'] !== undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
