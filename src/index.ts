// Owns the public surface; re-exports only.

export {
  ArgumentError,
  type CloseReason,
  CommandTimeoutError,
  ConnectionError,
  ConnectTimeoutError,
  LeaseReleasedError,
  MaxClientsError,
  OptionError,
  type Outcome,
  PoolClosedError,
  PoolFullError,
  ProtocolError,
  ReplyError,
  RespoolError,
  WatchError,
} from './base/errors.js'
export type { DurationBucket, DurationSummary } from './base/histogram.js'
export { VERSION } from './base/version.js'
export type { CloseOptions, CommandOptions, LeaseOptions } from './client/call-options.js'
export {
  type ConnectionInfo,
  ConnectionPool,
  type ConnectionPoolEvents,
  type HandleEvents,
} from './client/connection-pool.js'
export { createClient, createClientPool } from './client/create-client.js'
export type { Extensions, NoExtensions } from './client/extensions.js'
export type { ScanIteratorOptions } from './client/iterators.js'
export { Lease, type RedisLease } from './client/lease.js'
export type {
  AsyncCredentialsProvider,
  CreateClientOptions,
  PoolSizeOptions,
  SocketOptions,
  StreamingCredentialsProvider,
} from './client/node-redis-options.js'
export { type ConnectionPoolOptions, optionsFromEnvironment } from './client/options.js'
export type { MonitorCallback } from './client/pubsub.js'
export {
  type NoMapping,
  openRedis,
  Redis,
  type RedisClient,
  type RedisClient as RedisClientType,
  type RedisOptions,
} from './client/redis.js'
export { defineScript } from './client/scripts.js'
export type { RefusedSubscription, SubscriptionGap } from './client/subscription-gap.js'
export type { MessageListener } from './client/subscriptions.js'
export { MultiErrorReply, type RedisTransaction, Transaction } from './client/transaction.js'
export type {
  CommandParser,
  RedisArgument,
  RedisFunctions,
  RedisModules,
  RedisScripts,
  RespVersions,
  TypeMapping,
} from './command/definitions.js'
export type { CredentialsProvider, StreamingCredentials } from './connection/credentials.js'
export type { Advice, AdviceEvidence, AdviceOptions, OptionAdvice, SizeForecast } from './pool/advice.js'
export type { AutosizeOptions } from './pool/autosize-options.js'
export type { ClientSideCacheOptions } from './pool/cache-options.js'
export type { CacheStats } from './pool/client-side-cache.js'
export type { Resize } from './pool/contract.js'
export { type DiagnoseOptions, type Diagnosis, diagnose } from './pool/diagnosis.js'
export { ConnectionPoolTimeoutError, type ExhaustionCause, type Verdict } from './pool/exhaustion.js'
export type { HistoryEvent, HistoryNews, HistoryPoint, Recording, RecordOptions } from './pool/history.js'
export type { Place } from './pool/roster.js'
export type { CommandStats, DurationStats, HolderStats, PeakStats, PoolStats, StatsOptions } from './pool/stats.js'
export type { BackoffStrategy } from './pool/supply.js'
export { RESP_TYPES, VerbatimString } from './resp/types.js'
