// Owns the third part of the demo: all connections are killed under load, and every write is held against what the
// server has. Each write adds one to a field of its own, so the server shows how often it was applied.

import { ConnectionPool, type Outcome, Redis, RespoolError } from '../index.js'
import { clean, type DemoContext, pause } from './demo-context.js'

/** `failed`: with an error that does not say what became of the command, which must not happen. */
export type Fate = 'replied' | Outcome | 'failed'

export type FateCounts = Readonly<Record<Fate, number>>

export interface Kill {
  /** Connections that CLIENT KILL ended. */
  readonly connections: number
  /** Commands that were in flight while they ended. */
  readonly inFlight: FateCounts
  /** From the kill until a command called after it was answered, in ms; null: not within the limit. */
  readonly recovery: number | null
}

export interface Recovery {
  readonly callers: number
  readonly writes: number
  readonly fates: FateCounts
  readonly kills: readonly Kill[]
  readonly afterwards: { readonly commands: number; readonly failed: number }
  readonly checked: {
    readonly appliedTwice: number
    readonly acknowledgedButLost: number
    /** Called not sent or rejected, and applied all the same. */
    readonly deniedButApplied: number
    readonly ambiguousApplied: number
    readonly ambiguousNotApplied: number
  }
}

const CALLERS = 50

interface Call {
  fate: Fate | undefined
  /** Called when no connection of before the kill was left. */
  readonly later: Incident | undefined
}

/** One kill, from CLIENT KILL until a later command was answered. */
class Incident {
  readonly calls = new Set<Call>()
  readonly started = performance.now()
  /** Connections still to go; known once CLIENT LIST has answered. */
  left: number
  recovered: number | undefined
  /** Told when `recovered` is set. */
  readonly over: Promise<void>
  #end: () => void = () => {}

  constructor(connections: number, inFlight: Iterable<Call>) {
    this.left = connections
    for (const call of inFlight) this.calls.add(call)
    this.over = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  recover(): void {
    if (this.recovered !== undefined) return
    this.recovered = performance.now() - this.started
    this.#end()
  }
}

/** Callers that write without a pause. */
class Load {
  readonly fates: Fate[][] = []
  readonly inFlight = new Set<Call>()
  incident: Incident | undefined
  readonly afterwards = { commands: 0, failed: 0 }
  #stopped = false
  readonly #redis: Redis
  readonly #keyOf: (caller: number) => string
  readonly #done: Promise<unknown>

  constructor(redis: Redis, keyOf: (caller: number) => string) {
    this.#redis = redis
    this.#keyOf = keyOf
    this.#done = Promise.all(Array.from({ length: CALLERS }, (_, caller) => this.#write(caller)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#done
  }

  async #write(caller: number): Promise<void> {
    const fates: Fate[] = []
    this.fates.push(fates)
    while (!this.#stopped) {
      const { incident } = this
      const gone = incident !== undefined && incident.left <= 0
      const call: Call = { fate: undefined, later: gone ? incident : undefined }
      if (incident !== undefined && !gone) incident.calls.add(call)
      this.inFlight.add(call)
      const fate = await fateOf(this.#redis.hIncrBy(this.#keyOf(caller), String(fates.length), 1))
      this.inFlight.delete(call)
      call.fate = fate
      fates.push(fate)
      // What the next kill met in flight is counted with that one.
      if (call.later !== undefined && call.later === this.incident) this.#countLater(call.later, fate)
      // A server that refuses everything must not make this loop spin without ever letting a timer run.
      if (fate !== 'replied') await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #countLater(incident: Incident, fate: Fate): void {
    this.afterwards.commands++
    if (fate === 'replied') incident.recover()
    else this.afterwards.failed++
  }
}

async function fateOf(call: Promise<unknown>): Promise<Fate> {
  try {
    await call
    return 'replied'
  } catch (error) {
    return (error instanceof RespoolError ? error.outcome : undefined) ?? 'failed'
  }
}

export async function killUnderLoad(context: DemoContext): Promise<Recovery | undefined> {
  const { url, plan, signal, prefix, progress, watch } = context
  if (signal.aborted) return undefined
  const clientName = `${prefix}load`
  const pool = new ConnectionPool(url, { name: 'connections killed', clientName })
  watch(pool)
  const redis = new Redis({ pool })
  const keyOf = (caller: number) => `${prefix}writes:${caller}`
  const kills: Kill[] = []
  await redis.connect()
  const load = new Load(redis, keyOf)
  pool.on('close', () => {
    if (load.incident !== undefined) load.incident.left--
  })
  try {
    await pause(plan.calm, signal)
    for (let count = 1; count <= plan.kills && !signal.aborted; count++) {
      progress('killing connections under load', `· ${count} of ${plan.kills}`)
      kills.push(await kill(context, load, clientName, redis))
      await pause(plan.calm, signal)
    }
    await load.stop()
    if (kills.length === 0) return undefined
    progress('checking every write against the server')
    const checked = await check(context, load.fates, keyOf)
    const fates = countFates(load.fates.flat())
    const { afterwards } = load
    return { callers: CALLERS, writes: load.fates.flat().length, fates, kills, afterwards, checked }
  } finally {
    await load.stop()
    await pool.close({ timeout: 1_000 })
    await clean(
      context,
      Array.from({ length: CALLERS }, (_, caller) => keyOf(caller)),
    )
  }
}

async function kill(context: DemoContext, load: Load, clientName: string, loaded: Redis): Promise<Kill> {
  const { control, plan, signal } = context
  const list = String(await control.sendCommand(['CLIENT', 'LIST']))
  const ids = list.split('\n').flatMap((line) => {
    const [, id, name] = /^id=(\d+) .* name=(\S*)/.exec(line) ?? []
    return id !== undefined && name === clientName ? [id] : []
  })
  // In the middle of a batch, so that the server has some of its commands before the kill and some after it.
  await loaded.ping().catch(() => {})
  const incident = new Incident(ids.length, load.inFlight)
  load.incident = incident
  await Promise.all(ids.map((id) => control.sendCommand(['CLIENT', 'KILL', 'ID', id])))
  await Promise.race([incident.over, pause(plan.recoveryLimit, signal)])
  // Their last word may come after that of a later command.
  const unsettled = () => [...incident.calls].some(({ fate }) => fate === undefined)
  const end = performance.now() + plan.recoveryLimit
  while (unsettled() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 1))
  const inFlight = countFates([...incident.calls].map(({ fate }) => fate ?? 'failed'))
  const { recovered } = incident
  return { connections: ids.length, inFlight, recovery: recovered === undefined ? null : round(recovered) }
}

async function check(
  { control }: DemoContext,
  fates: readonly (readonly Fate[])[],
  keyOf: (caller: number) => string,
): Promise<Recovery['checked']> {
  const tally = new WriteTally()
  for (const [caller, told] of fates.entries()) tally.add(told, await control.hGetAll(keyOf(caller)))
  return { ...tally }
}

/** Holds what a caller was told against what the server has. */
export class WriteTally {
  appliedTwice = 0
  acknowledgedButLost = 0
  deniedButApplied = 0
  ambiguousApplied = 0
  ambiguousNotApplied = 0

  /** @param applied how often each write was applied, by its number */
  add(told: readonly Fate[], applied: Readonly<Record<string, string>>): void {
    for (const [sequence, fate] of told.entries()) {
      const times = Number(applied[String(sequence)] ?? 0)
      if (times > 1) this.appliedTwice++
      if (fate === 'replied' && times === 0) this.acknowledgedButLost++
      if ((fate === 'not-sent' || fate === 'rejected') && times > 0) this.deniedButApplied++
      if (fate === 'ambiguous' && times > 0) this.ambiguousApplied++
      if (fate === 'ambiguous' && times === 0) this.ambiguousNotApplied++
    }
  }
}

export function countFates(fates: readonly Fate[]): FateCounts {
  const counts: Record<Fate, number> = { replied: 0, 'not-sent': 0, rejected: 0, ambiguous: 0, failed: 0 }
  for (const fate of fates) counts[fate]++
  return counts
}

/** Whether the library kept what it promises. */
export function keptPromises({ checked, afterwards, fates, kills }: Recovery): boolean {
  const broken = checked.appliedTwice + checked.acknowledgedButLost + checked.deniedButApplied
  return broken + afterwards.failed + fates.failed === 0 && kills.every(({ recovery }) => recovery !== null)
}

const round = (milliseconds: number): number => Number(milliseconds.toFixed(2))
