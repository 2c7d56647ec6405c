const STEP_MS = 5;
const PATIENCE_MS = 20_000;

/** Resolves once `condition` holds; rejects with `what` when it has not for 20 s, or as long as is said. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, patienceMs = PATIENCE_MS): Promise<void> {
  const giveUpMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > giveUpMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
