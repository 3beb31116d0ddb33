// Owns the options of single calls: close(), lease() and the handles made by with…(). Knows none of the pool's.

import { custom, duration, integer, type OptionTable, readOptions, text } from '../base/option-table.js'
import type { TypeMapping } from '../command/definitions.js'
import { RETRY_MODES, type RetryMode } from '../command/repeat.js'
import type { RecordSettings } from '../pool/history.js'

export interface CloseOptions {
  /** Milliseconds after which what still runs is rejected; 0 = no limit. Default 0. */
  readonly timeout?: number | undefined
}

export const closeTable: OptionTable<{ readonly timeout: number }> = {
  timeout: duration({ default: 0, doc: 'After how long what still runs is rejected; 0 = no limit.' }),
}

export function readCloseTimeout(options: unknown): number {
  return readOptions(closeTable, options, 'close()').timeout
}

interface LeaseValues {
  /** Names the holder in errors and stats. Default `lease`. */
  readonly label: string
  /** Milliseconds to wait for a connection. Default: the pool's `acquireTimeout`. */
  readonly timeout: number | undefined
  /** Ends the wait; a lease already granted is not taken back. */
  readonly signal: AbortSignal | undefined
}

export type LeaseOptions = { readonly [Name in keyof LeaseValues]?: LeaseValues[Name] | undefined }

const isSignal = (value: unknown): value is AbortSignal => value instanceof AbortSignal

const signal = custom<AbortSignal | undefined>({
  kind: 'object',
  default: undefined,
  expected: 'an AbortSignal',
  accepts: isSignal,
  doc: 'Ends the wait; a lease already granted is not taken back.',
})

const isDuration = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0

const timeout = custom<number | undefined>({
  kind: 'object',
  default: undefined,
  expected: 'a whole number of milliseconds',
  unit: 'milliseconds',
  accepts: isDuration,
  doc: "How long to wait for a connection; by default the pool's acquireTimeout.",
})

export const leaseTable: OptionTable<LeaseValues> = {
  label: text({ default: 'lease', also: ['name'], doc: 'Names the holder in errors and stats.' }),
  timeout,
  signal: { ...signal, also: ['abortSignal'] },
}

export function readLeaseOptions(options: unknown): LeaseValues {
  return readOptions(leaseTable, options, 'lease()')
}

interface CommandValues {
  /** Types that replies become. */
  readonly typeMapping: TypeMapping | undefined
  /** Rejects the call when aborted; a blocking command is unblocked without losing an element. */
  readonly abortSignal: AbortSignal | undefined
  /** Milliseconds from the call to the reply, waiting included; 0 = no limit. */
  readonly timeout: number | undefined
  /** What is sent again after a loss or a refusal, as the pool's option `retry`. */
  readonly retry: RetryMode | undefined
}

export type CommandOptions = { readonly [Name in keyof CommandValues]?: CommandValues[Name] | undefined }

const isTypeMapping = (value: unknown): value is TypeMapping => typeof value === 'object' && value !== null

const isRetryMode = (value: unknown): value is RetryMode => RETRY_MODES.some((mode) => mode === value)

export const commandTable: OptionTable<CommandValues> = {
  typeMapping: custom<TypeMapping | undefined>({
    kind: 'object',
    default: undefined,
    expected: 'an object such as { [RESP_TYPES.BLOB_STRING]: Buffer }',
    accepts: isTypeMapping,
    doc: 'Types that replies become.',
  }),
  abortSignal: {
    ...signal,
    also: ['signal'],
    doc: 'Rejects the call when aborted; a blocking command is unblocked without losing an element.',
  },
  timeout: {
    ...timeout,
    also: ['commandTimeout'],
    doc: "How long from the call to the reply, waiting included; 0 = no limit; by default the pool's commandTimeout.",
  },
  retry: custom<RetryMode | undefined>({
    kind: 'object',
    default: undefined,
    expected: "'safe', 'none', 'idempotent' or 'at-least-once'",
    accepts: isRetryMode,
    doc: "What is sent again after a loss or a refusal; by default the pool's retry.",
  }),
}

export function readCommandOptions(options: unknown): CommandValues {
  return readOptions(commandTable, options, 'command options')
}

export const recordTable: OptionTable<RecordSettings> = {
  interval: duration({ default: 1_000, min: 10, doc: 'Between two points.' }),
  points: integer({ default: 600, min: 1, doc: 'Points that are kept; the oldest goes first.' }),
  events: integer({ default: 200, min: 1, doc: 'Events that are kept.' }),
}

export function readRecordOptions(options: unknown): RecordSettings {
  return readOptions(recordTable, options, 'record()')
}
