// Owns iteration by cursor over keys and over the elements of one key: a command for each page, and no connection between
// pages. Knows neither pools nor leases. https://redis.io/docs/latest/commands/scan/

import { ArgumentError } from '../base/errors.js'
import type {
  CommandReply,
  Commands,
  RedisArgument,
  ReplyWithTypeMapping,
  RespVersions,
  ScanCommonOptions,
  ScanOptions,
  TypeMapping,
} from '../command/definitions.js'
import { type CommandTarget, commandCalled } from './command-set.js'

export interface ScanIteratorOptions {
  /** Where to go on, as text: a cursor has 64 bits. Default `'0'`, the beginning. */
  cursor?: RedisArgument
}

type Reply<NAME extends keyof Commands, RESP extends RespVersions, TM extends TypeMapping> = ReplyWithTypeMapping<
  CommandReply<Commands[NAME], RESP>,
  TM
>

type Pages<PAGE> = AsyncGenerator<PAGE, void, unknown>

/**
 * Each yields the pages of the server as they come, empty ones too. What is there from the first page to the last is
 * yielded at least once, perhaps twice; what comes or goes meanwhile, perhaps. An aborted signal ends the iteration with
 * its reason.
 */
export interface ScanIterators<RESP extends RespVersions, TM extends TypeMapping> {
  /** Keys of the database. */
  scanIterator(options?: ScanOptions & ScanIteratorOptions): Pages<Reply<'scan', RESP, TM>['keys']>
  /** Fields of a hash with their values. */
  hScanIterator(
    key: RedisArgument,
    options?: ScanCommonOptions & ScanIteratorOptions,
  ): Pages<Reply<'hScan', RESP, TM>['entries']>
  /** Values of a hash. */
  hScanValuesIterator(
    key: RedisArgument,
    options?: ScanCommonOptions & ScanIteratorOptions,
  ): Pages<Reply<'hScan', RESP, TM>['entries'][number]['value'][]>
  /** Fields of a hash; the server sends no values. Redis 7.4. */
  hScanNoValuesIterator(
    key: RedisArgument,
    options?: ScanCommonOptions & ScanIteratorOptions,
  ): Pages<Reply<'hScanNoValues', RESP, TM>['fields']>
  /** Members of a set. */
  sScanIterator(
    key: RedisArgument,
    options?: ScanCommonOptions & ScanIteratorOptions,
  ): Pages<Reply<'sScan', RESP, TM>['members']>
  /** Members of a sorted set with their scores. */
  zScanIterator(
    key: RedisArgument,
    options?: ScanCommonOptions & ScanIteratorOptions,
  ): Pages<Reply<'zScan', RESP, TM>['members']>
}

interface Page {
  readonly cursor: RedisArgument
  readonly keys?: unknown
  readonly entries?: readonly { readonly value: unknown }[]
  readonly fields?: unknown
  readonly members?: unknown
}

/** How one kind of iteration asks, and what of a reply it yields. */
interface Iteration {
  readonly method: string
  readonly hasKey: boolean
  readonly take: (page: Page) => unknown
}

const ITERATIONS: Readonly<Record<keyof ScanIterators<3, TypeMapping>, Iteration>> = {
  scanIterator: { method: 'SCAN', hasKey: false, take: ({ keys }) => keys },
  hScanIterator: { method: 'HSCAN', hasKey: true, take: ({ entries }) => entries },
  hScanValuesIterator: { method: 'HSCAN', hasKey: true, take: ({ entries = [] }) => entries.map(({ value }) => value) },
  hScanNoValuesIterator: { method: 'HSCAN_NOVALUES', hasKey: true, take: ({ fields }) => fields },
  sScanIterator: { method: 'SSCAN', hasKey: true, take: ({ members }) => members },
  zScanIterator: { method: 'ZSCAN', hasKey: true, take: ({ members }) => members },
}

async function* pages(
  target: CommandTarget,
  { method, take }: Iteration,
  key: readonly unknown[],
  options: unknown,
): AsyncGenerator<unknown, void, unknown> {
  const command = commandCalled(method)
  if (!isOptions(options)) {
    const message = `${method} takes its options as an object: { MATCH: 'user:*' }`
    throw new ArgumentError(message, { command: method, outcome: 'not-sent' })
  }
  let cursor: unknown = options?.cursor ?? '0'
  do {
    const page: unknown = await target.runCommand(command, [...key, cursor, options])
    if (!isPage(page)) throw new TypeError(`${method} gave no page`)
    cursor = page.cursor
    yield take(page)
    // A Buffer, when the type mapping says so.
  } while (String(cursor) !== '0')
}

function isPage(value: unknown): value is Page {
  return typeof value === 'object' && value !== null && 'cursor' in value
}

function isOptions(value: unknown): value is ScanIteratorOptions | undefined {
  return value === undefined || (typeof value === 'object' && value !== null)
}

/** Puts the iterations on a class of handles. */
export function addIterators(prototype: CommandTarget): void {
  for (const [name, iteration] of Object.entries(ITERATIONS)) {
    const value = function (this: CommandTarget, ...args: unknown[]): AsyncGenerator<unknown, void, unknown> {
      const options = args[iteration.hasKey ? 1 : 0]
      return pages(this, iteration, iteration.hasKey ? [args[0]] : [], options)
    }
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true })
  }
}
