// Holds the server's list of clients against what pools say of themselves. Knows neither protocol nor pool.

const SETTLE_WITHIN = 2_000

type ClientLine = Readonly<Record<string, string>>

export interface SameConnectionsOptions {
  /** Which of the server's clients belong to the pools; by default all but the one that asks. */
  readonly only?: (client: ClientLine) => boolean
  /** How long opening and closing connections may take until both agree, in ms. */
  readonly within?: number
}

interface ListsClients {
  clientList(): Promise<ClientLine[]>
}

interface CountsConnections {
  stats(): { readonly connections: { readonly total: number } }
}

/** Waits until the server sees as many connections as the pools say they have; fails with both when it never does. */
export async function sameConnections(
  server: ListsClients,
  pools: CountsConnections | readonly CountsConnections[],
  { only = () => true, within = SETTLE_WITHIN }: SameConnectionsOptions = {},
): Promise<number> {
  const end = performance.now() + within
  for (;;) {
    const seen = (await server.clientList()).filter(only)
    const said = [pools].flat().reduce((sum, pool) => sum + pool.stats().connections.total, 0)
    if (seen.length === said) return said
    if (performance.now() > end) throw new Error(disagreement(seen, said))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

function disagreement(seen: readonly ClientLine[], said: number): string {
  const lines = seen.map(({ id, addr, name, age, cmd }) => `id=${id} addr=${addr} name=${name} age=${age} cmd=${cmd}`)
  return [`the server sees ${seen.length} connections, the pools say ${said}`, ...lines].join('\n  ')
}
