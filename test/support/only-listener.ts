// Takes away everybody else who listens to an event of this process, such as the test runner, while a piece of work runs.

export async function onlyListener<T>(
  event: 'uncaughtException' | 'unhandledRejection',
  work: () => Promise<T>,
): Promise<T> {
  const others = process.rawListeners(event)
  process.removeAllListeners(event)
  try {
    return await work()
  } finally {
    for (const other of others) Reflect.apply(process.on, process, [event, other])
  }
}
