// What goes wrong between a pool and its server, and on the server. Each trouble knows the stage, and no law.

import type { ModelConnection } from '../support/model-server.js'
import type { Action } from './callers.js'
import type { Stage } from './stage.js'

function some({ world, dice }: Stage): ModelConnection | undefined {
  return dice.from(world.server.open)
}

function cut(stage: Stage, connection: ModelConnection | undefined): void {
  connection?.cut(stage.dice.pick('rst', 'fin'), stage.dice.pick('applied', 'dropped'))
}

export const TROUBLES: Readonly<Record<string, Action>> = {
  cut: { weight: 2, act: (stage) => cut(stage, some(stage)) },
  'cut all': {
    weight: 1,
    act: (stage) => {
      for (const connection of stage.world.server.open) cut(stage, connection)
    },
  },
  'hold requests': { weight: 3, act: (stage) => some(stage)?.hold('requests') },
  'hold replies': { weight: 2, act: (stage) => some(stage)?.hold('replies') },
  'step by step': { weight: 4, act: (stage) => some(stage)?.step(stage.dice.between(1, 3)) },
  resume: { weight: 4, act: (stage) => some(stage)?.resume() },
  'resume all': {
    weight: 2,
    act: ({ world }) => {
      for (const connection of world.server.open) connection.resume()
    },
  },
  slow: {
    weight: 2,
    act: (stage) => {
      const connection = some(stage)
      if (connection === undefined) return
      connection.latency = stage.dice.pick(1, 1, 4, 15, 40)
      connection.replyLatency = stage.dice.pick(0, 0, 3, 12)
    },
  },
  drip: {
    weight: 2,
    act: (stage) => {
      const connection = some(stage)
      const { dice } = stage
      const longest = dice.pick(2, 7, 30)
      if (connection !== undefined) connection.pieces = dice.once(3) ? undefined : () => dice.between(1, longest)
    },
  },
  push: { weight: 2, act: (stage) => some(stage)?.push('message', 'news', String(stage.dice.below(100))) },
  fill: {
    weight: 1,
    act: (stage) => {
      const connection = some(stage)
      if (connection !== undefined) connection.pending = 2 ** 20
    },
  },
  drain: { weight: 2, act: (stage) => some(stage)?.drain() },
  'break the protocol': {
    weight: 1,
    act: (stage) => {
      const { connection, wire } = stage.dice.from(stage.links) ?? {}
      if (wire?.state !== 'open') return
      stage.brokenProtocols++
      // A reply too many can be told from others only where none is owed.
      const isUnasked = connection?.inFlight === 0 && wire.isPrompt
      wire.inject(isUnasked && stage.dice.once(2) ? '+OK\r\n' : '?what\r\n')
    },
  },
  dials: {
    weight: 3,
    act: ({ world, dice }) => {
      world.server.welcome = dice.pick('accept', 'accept', 'accept', 'refuse', 'blackhole', 'silent', 'full', 'hang-up')
      world.server.hangUpAfter = dice.pick(1, 2, 5, 40)
    },
  },
  'slow dials': {
    weight: 1,
    act: ({ world, dice }) => {
      world.server.dialDelay = dice.pick(1, 1, 5, 30)
      world.server.latency = dice.pick(1, 1, 5)
    },
  },
  mood: {
    weight: 2,
    act: ({ world, dice }) => {
      world.server.mood = dice.pick('ready', 'ready', 'ready', 'loading', 'busy', 'readonly')
    },
  },
  'idle timeout': {
    weight: 1,
    act: ({ world, dice }) => {
      world.server.timeout = dice.pick(0, 1)
    },
  },
}
