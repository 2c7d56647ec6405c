/** What `work` comes to; `opened` is closed then, whatever it is. */
export async function andClose<Opened extends { close(): Promise<void> }, Value>(opened: Opened, work: (opened: Opened) => Promise<Value>): Promise<Value> {
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}
