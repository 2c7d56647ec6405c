/**
 * Runs `task` once the event loop has read everything that was ready in this turn: what gathers until then can leave
 * in one write, and waits for nothing.
 */
export function endOfTurn(task: () => void): void {
  setImmediate(task);
}
