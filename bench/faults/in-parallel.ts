/** Does `task` for each number below `count`, so many at once. */
export async function inParallel(count: number, atOnce: number, task: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      await task(next - 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
