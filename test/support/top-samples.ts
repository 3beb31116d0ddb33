// Moments of `respool top`, made up, for the tests of how they are shown.

import type { ClientGroup } from '../../src/tools/server-info.js'
import type { PoolView, TopDocument } from '../../src/tools/top-document.js'

export function group(name: string, more: Partial<ClientGroup> = {}): ClientGroup {
  return {
    ...{ name, named: true, count: 1, blocked: 0, age: 3_600, longestIdle: 2, leastIdle: 0, command: 'get' },
    ...{ memory: 22_000, outputBuffer: 0, from: '10.0.0.7', library: 'respool' },
    ...more,
  }
}

export function pool(name: string, more: Partial<PoolView> = {}): PoolView {
  const connections = { connecting: 0, idle: 6, shared: 2, late: 0, draining: 0, leased: 1, closing: 0, total: 9 }
  return {
    ...{ name, address: 'db:6379', state: 'open', maxConnections: 10, connections, waiting: 0, longestWait: 0 },
    ...{
      inFlight: 4,
      callsPerSecond: 1_234.5,
      waitP99: 0.42,
      replyP99: 1.25,
      cause: 'healthy',
      because: 'all is well',
    },
    ...more,
  }
}

export const MOMENT: TopDocument = {
  schemaVersion: 1,
  command: 'top',
  at: '2026-11-28T12:34:56.789Z',
  server: {
    state: 'there',
    address: 'db.example:6379',
    head: {
      ...{ engine: 'redis 7.0.15', role: 'master', opsPerSecond: 48_230, clients: 143, maxClients: 10_000, blocked: 2 },
      ...{ usedMemory: 1_503_238_553, maxMemory: 4_294_967_296, hitRate: 0.973, evictedPerSecond: 0 },
    },
    groups: [
      group('web', {
        count: 96,
        age: 5_400,
        longestIdle: 3,
        memory: 2_200_000,
        from: '8 hosts',
        library: 'respool(web)',
      }),
      group('worker', { count: 40, age: 90_000, longestIdle: 61, blocked: 2, command: 'blpop', memory: 900_000 }),
      group('(no name) 10.0.0.9', {
        named: false,
        count: 6,
        age: 260_000,
        longestIdle: 250_000,
        command: 'client|list',
      }),
    ],
    refused: [],
  },
  pools: [
    {
      url: 'http://127.0.0.1:8080/respool/',
      pools: [
        pool('orders'),
        pool('jobs', {
          ...{ waiting: 12, longestWait: 340, waitP99: 312, cause: 'leak', because: '9 of 9 leases are held too long' },
          connections: { connecting: 0, idle: 0, shared: 1, late: 0, draining: 0, leased: 9, closing: 0, total: 10 },
        }),
      ],
    },
  ],
}
