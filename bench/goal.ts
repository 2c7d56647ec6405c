import { markdownTable } from './markdown-table.ts';

/** A figure that Meridian promises, and what it came to. */
export interface Goal {
  readonly what: string;
  readonly bound: string;
  readonly reached: string;
  /** Null: the run did not show it. */
  readonly isMet: boolean | null;
}

/** Goals as a table; nothing when there are none. */
export function goalTable(goals: readonly Goal[]): string[] {
  if (goals.length === 0) return [];
  const rows = goals.map((goal) => [goal.what, goal.bound, goal.reached, goal.isMet === null ? 'not seen' : goal.isMet ? 'met' : '**missed**']);
  return markdownTable(['goal', 'bound', 'reached', ''], rows);
}
