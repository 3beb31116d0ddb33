// Owns the options of client-side caching. Knows no pool.
import { duration, integer, type OptionsOf, type OptionTable, oneOf, readOptions } from '../base/option-table.js'

export interface ClientSideCacheValues {
  /** Milliseconds after which a reply is not served any more; 0 = when the server says that its keys changed. Default 0. */
  readonly ttl: number
  /** Replies that are kept; 0 = as many as `maxBytes` holds. Default 0. */
  readonly maxEntries: number
  /** Bytes of memory that kept replies may take, counted so that it is rather less; 0 = no bound. Default 64 MiB. */
  readonly maxBytes: number
  /** What makes room: `LRU` (the reply that was not asked for the longest) or `FIFO` (the oldest). Default `LRU`. */
  readonly evictPolicy: 'LRU' | 'FIFO'
}

export interface ClientSideCacheOptions extends OptionsOf<ClientSideCacheValues> {}

export const clientSideCacheTable: OptionTable<ClientSideCacheValues> = {
  ttl: duration({
    default: 0,
    also: ['maxAge', 'expiry'],
    doc: 'After how long a reply is not served any more; 0 = when the server says that its keys changed.',
  }),
  maxEntries: integer({
    default: 0,
    max: 100_000_000,
    also: ['max', 'maxSize', 'maxKeys'],
    doc: 'Replies that are kept; 0 = as many as maxBytes holds.',
  }),
  maxBytes: integer({
    default: 64 * 1024 * 1024,
    unit: 'bytes',
    also: ['maxMemory'],
    doc: 'Memory that kept replies may take, counted so that it is rather less; 0 = no bound.',
  }),
  evictPolicy: oneOf(['LRU', 'FIFO'], {
    default: 'LRU',
    also: ['evictionPolicy', 'policy'],
    doc: 'What makes room: the reply that was not asked for the longest, or the oldest.',
  }),
}

export function readClientSideCache(options: unknown): Readonly<ClientSideCacheValues> {
  return readOptions(clientSideCacheTable, options, 'clientSideCache')
}
