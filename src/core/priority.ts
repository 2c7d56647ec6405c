/** Classes of requests, highest first; one of a higher class is always placed first. */
export const PRIORITIES = ['critical', 'standard', 'batch'] as const;

export type Priority = (typeof PRIORITIES)[number];

export function isPriority(value: unknown): value is Priority {
  return PRIORITIES.some((priority) => priority === value);
}

/** Whether `one` is above `other`. */
export function isHigherPriority(one: Priority, other: Priority): boolean {
  return PRIORITIES.indexOf(one) < PRIORITIES.indexOf(other);
}
