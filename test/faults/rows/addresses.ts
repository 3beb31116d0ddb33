// Rows D: where a server is to be found changes.

import { pause, until } from '../../live/support-live.js'
import { FaultProxy } from '../../support/fault-proxy.js'
import { MovingName } from '../../support/moving-name.js'
import { Couple } from '../couple.js'
import { recovery, recoveryCheck, within } from '../recovery.js'
import type { Context, Outcome, Row } from '../row.js'
import { respool } from '../subject.js'
import { inTrouble, planOf } from '../trouble.js'
import { exactly, failedCalls, succeedsAgain } from './figures.js'
import { CALM, SETTINGS } from './settings.js'

const [HERE, THERE] = ['127.0.0.1', '127.0.0.2'] as const
/** A server that is a primary no more has no client after this long, in ms. */
const LEFT_WITHIN = 250
const GIVEN_UP = 5_000

async function movedName(context: Context): Promise<Outcome> {
  const maxLifetime = context.scale(700, 5_000)
  await using couple = await Couple.start()
  const { port } = couple.primary
  await using here = await FaultProxy.start({ port, seed: context.seed })
  await using there = await FaultProxy.start({ port, seed: context.seed, listen: { host: THERE, port: here.port } })
  context.trace(here.log)
  context.trace(there.log)
  using name = new MovingName(HERE)
  const subject = respool(`redis://${name.name}:${here.port}`, { ...SETTINGS, maxLifetime })
  const { pool } = subject.redis
  return await inTrouble(subject, port, planOf(context, SETTINGS.commandTimeout), async ({ history }) => {
    const moves = new Moves(name, () => pool.stats().connections.connecting)
    const refusals: number[] = []
    const recoveries: number[] = []
    await until('calls succeed', succeedsAgain(history))
    // Two addresses of one server: nobody there says that the name has moved.
    const aged = await moves.timeUntilLeft(here, THERE)
    for (let round = context.scale(2, 10); round > 0; round--) {
      await until('calls succeed', succeedsAgain(history))
      const [from, to, address] = round % 2 === 0 ? [there, here, HERE] : [here, there, THERE]
      let left = Promise.resolve(0)
      let recovered = Promise.resolve(0)
      const lead = ({ port: next }: { readonly port: number }): void => {
        to.retarget(next)
        left = moves.timeUntilLeft(from, address)
        recovered = recovery(subject, GIVEN_UP)
      }
      await couple.change({ lead })
      refusals.push(await left)
      recoveries.push(await recovered)
      await couple.reunite()
      if (round > 1) await pause(CALM)
    }
    return {
      faults: 1 + refusals.length,
      recovery: recoveries,
      checks: () => [
        within(context, 'until the old address has no connection, by lifetime', aged, maxLifetime),
        within(
          context,
          'until the old address has no connection, by READONLY, longest',
          Math.max(...refusals),
          LEFT_WITHIN,
        ),
        recoveryCheck(context, recoveries, LEFT_WITHIN),
        {
          what: 'connections that the moves found there',
          value: moves.found,
          is: 'at least',
          limit: refusals.length + 1,
        },
        { what: 'connections made to an old address', value: moves.late, is: 'at most', limit: moves.underWay },
        exactly('calls that failed in another way than READONLY', failedCalls(history) - history.failed.rejected, 0),
      ],
    }
  })
}

/** Moves of the name, and what was still seen at the addresses that it left. */
class Moves {
  /** Connections that an old address had at the moment of the move, those made later, and those in the making then. */
  found = 0
  late = 0
  underWay = 0
  readonly #name: MovingName
  readonly #connecting: () => number

  constructor(name: MovingName, connecting: () => number) {
    this.#name = name
    this.#connecting = connecting
  }

  /** Milliseconds from the move to `address` until the old proxy has no connection. */
  async timeUntilLeft(old: FaultProxy, address: string): Promise<number> {
    const moved = performance.now()
    const before = old.total
    this.found += old.links.length
    this.underWay += this.#connecting()
    this.#name.moveTo(address)
    await until('the old address has no connection', () => old.links.length === 0, 2 * GIVEN_UP)
    const took = performance.now() - moved
    this.late += old.total - before
    return took
  }
}

export const addresses: readonly Row[] = [
  {
    id: 'D1',
    fault: 'The name of the server leads elsewhere',
    injection: 'it is looked up anew, while the old address answers, and while the server there became a replica',
    expected: 'new connections go to the new address; old ones end with their lifetime, or all at once on READONLY',
    tiers: ['commit', 'nightly'],
    run: movedName,
  },
]
