const STEP_MS = 5;
const PATIENCE_MS = 20_000;

/** Resolves once `condition` holds; rejects with `what` when it has not for 20 s. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > giveUpMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}
