// Owns what OpenTelemetry is told of single calls: their spans and durations, from the channels of commands and batches.
// Makes nothing while it is not started.

import { tracingChannel } from 'node:diagnostics_channel'
import { type BatchTrace, type CommandTrace, ConnectionPoolTimeoutError, ReplyError, RespoolError } from '../index.js'
import { errorOf, OPERATION, POOL_NAME, placeOf } from './metric-table.js'
import {
  type Attributes,
  context,
  type Histogram,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from './otel-api.js'

export interface CallOptions {
  /** undefined for no spans. */
  readonly tracer: Tracer | undefined
  /** undefined for no durations; in seconds. */
  readonly duration: Histogram | undefined
  readonly queryText: boolean
  readonly requireParent: boolean
  /** Whether calls of that pool are told. */
  readonly follows: (pool: TracedPool) => boolean
}

type CallTrace = CommandTrace | BatchTrace

/** Whose call it is, as every message says. */
export type TracedPool = Pick<CommandTrace, 'clientId' | 'poolName'>

/** A call that has not ended. */
interface Call {
  readonly attributes: Attributes
  readonly span: Span | undefined
  readonly startedAt: number
  /** The caller's, for what links a duration to a span. */
  readonly parent: ReturnType<typeof context.active>
  error: unknown
}

/** As many arguments of a command as its text shows. */
const MOST_SHOWN = 20

/** Starts telling; gives what ends it. */
export function followCalls(options: CallOptions): () => void {
  const calls = new WeakMap<object, Call>()
  const known = new KnownAttributes()
  const handlers = {
    start: (told: CallTrace): void => {
      const call = begin(told, options, known)
      if (call !== undefined) calls.set(told, call)
    },
    error: (told: CallTrace & { error?: unknown }): void => {
      const call = calls.get(told)
      if (call !== undefined) call.error = told.error
    },
    // Not at `end`: that is when the call returns its promise.
    asyncEnd: (told: CallTrace): void => {
      const call = calls.get(told)
      if (call !== undefined) finish(call, options)
      calls.delete(told)
    },
  }
  const commands = tracingChannel<CommandTrace, CommandTrace>('respool:command')
  const batches = tracingChannel<BatchTrace, BatchTrace>('respool:batch')
  const ends = [follow(commands, handlers), follow(batches, handlers)]
  return () => {
    for (const end of ends) end()
  }
}

type Handlers<Message> = {
  start(message: Message): void
  error(message: Message & { error?: unknown }): void
  asyncEnd(message: Message): void
}

/** Only the steps that are wanted, one by one. */
function follow<Message extends object>(
  traced: ReturnType<typeof tracingChannel<Message, Message>>,
  handlers: Handlers<Message>,
): () => void {
  const steps = ['start', 'error', 'asyncEnd'] as const
  const listeners = steps.map((step) => {
    const listener = (message: unknown): void => handlers[step](message as Message)
    traced[step].subscribe(listener)
    return () => traced[step].unsubscribe(listener)
  })
  return () => {
    for (const end of listeners) end()
  }
}

function begin(told: CallTrace, options: CallOptions, known: KnownAttributes): Call | undefined {
  if (!options.follows(told)) return undefined
  const parent = context.active()
  const operation = operationOf(told)
  const attributes = known.of(told, operation)
  const startedAt = performance.now()
  const { tracer, requireParent } = options
  if (tracer === undefined || (requireParent && trace.getSpan(parent) === undefined)) {
    return { attributes, span: undefined, startedAt, parent, error: undefined }
  }
  const isPlain = !options.queryText && !('batchMode' in told)
  const own = isPlain ? attributes : { ...attributes, ...batchOf(told), ...(options.queryText ? textOf(told) : {}) }
  const span = tracer.startSpan(operation, { kind: SpanKind.CLIENT, attributes: own }, parent)
  return { attributes, span, startedAt, parent, error: undefined }
}

function finish({ attributes, span, startedAt, parent, error }: Call, { duration }: CallOptions): void {
  const outcome = error === undefined ? undefined : errorOf(kindOf(error))
  const all = outcome === undefined ? attributes : { ...attributes, ...outcome }
  duration?.record((performance.now() - startedAt) / 1_000, all, parent)
  if (span === undefined) return
  if (outcome !== undefined) {
    span.setAttributes(outcome)
    const message = messageOf(error)
    span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) })
  }
  span.end()
}

/** Attributes of one kind of calls are made once, as far as these go: anybody may send any name. */
const MOST_KNOWN = 2_000

class KnownAttributes {
  readonly #known = new Map<string, Map<string, Attributes>>()
  #size = 0

  of(told: CallTrace, operation: string): Attributes {
    const known = this.#known.get(told.clientId)?.get(operation)
    if (known !== undefined) return known
    const attributes = { ...placeOf(told), [OPERATION]: operation, [POOL_NAME]: told.poolName }
    if (this.#size < MOST_KNOWN) {
      this.#size++
      const ofPool = this.#known.get(told.clientId) ?? new Map<string, Attributes>()
      this.#known.set(told.clientId, ofPool.set(operation, attributes))
    }
    return attributes
  }
}

/** A batch of one command is named after it as well: `MULTI SET`. */
function operationOf(told: CallTrace): string {
  if (!('batchMode' in told)) return told.command
  const { batchMode, commands } = told
  const [first] = commands
  return commands.every((name) => name === first) ? `${batchMode} ${first}` : batchMode
}

/** The conventions want no size of one. */
function batchOf(told: CallTrace): Attributes {
  return 'batchMode' in told && told.batchSize > 1 ? { 'db.operation.batch.size': told.batchSize } : {}
}

function textOf(told: CallTrace): Attributes {
  if ('batchMode' in told) return { 'db.query.text': told.commands.slice(0, MOST_SHOWN).join('; ') }
  const shown = told.args.slice(0, MOST_SHOWN + 1)
  const rest = told.args.length > shown.length ? ' …' : ''
  return { 'db.query.text': shown.join(' ') + rest }
}

/** Errors of this library hold no argument of a command; the server's may quote one, and those made of them with it. */
function messageOf(error: unknown): string | undefined {
  if (!(error instanceof RespoolError)) return undefined
  return quotesServer(error) ? kindOf(error) : error.message
}

function quotesServer(error: unknown): boolean {
  const seen = new Set<unknown>()
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    if (at instanceof ReplyError) return true
    // What it quotes is the answer to a handshake.
    if (at instanceof ConnectionPoolTimeoutError) return false
    seen.add(at)
  }
  return false
}

/** The kind of an error, in the words of `CommandStats.failures`. */
function kindOf(error: unknown): string {
  if (error instanceof ReplyError) return error.kind
  if (error instanceof RespoolError) return error.code
  return error instanceof Error && error.name === 'AbortError' ? 'aborted' : 'other'
}
