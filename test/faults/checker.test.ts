// Shows that the checker finds nothing in a good history, and that each verdict is found in a bad one, and no other.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Counter, check, type FinalState, GRACE, type Unit } from './checker.js'
import { type Entry, History, type Kind, uniqueValue } from './history.js'
import { CLEAN, type Verdict } from './verdict.js'

const DEADLINE = 500
const BASE = 1_000

/** A history written by hand: calls follow each other unless their moments are given. */
class Script {
  readonly entries: Entry[] = []
  readonly values = new Map<string, string | null>()
  readonly lists = new Map<string, string[]>()
  readonly counters = new Map<string, Counter>()
  readonly units = new Map<string, Unit>()

  call(kind: Kind, key: string, reply: unknown, more: Partial<Entry> = {}): Entry {
    const id = this.entries.length + 1
    const times = { begun: id * 10, ended: id * 10 + 5, calledAt: id, settledAt: id + 1 }
    const entry: Entry = { id, caller: 0, kind, key, reply, state: 'ok', ...times, ...more }
    this.entries.push(entry)
    return entry
  }

  failed(kind: Kind, key: string, state: Entry['state']): Entry {
    return this.call(kind, key, undefined, { state })
  }

  judge(): Verdict {
    const { values, lists, counters, units }: FinalState = this
    return check(this.entries, { values, lists, counters, units }, DEADLINE).verdict
  }
}

const written = (key: string, id: number): string => uniqueValue({ key, id })

/** Calls 1 to 13, of every kind and with every ending, and a server that holds what it should. */
function good(): Script {
  const script = new Script()
  script.call('echo', 'e', written('e', 1))
  script.call('get', 'v', written('v', 0))
  script.call('set', 'v', 'OK')
  script.call('get', 'v', written('v', 3))
  script.call('push', 'l', 1)
  script.failed('push', 'l', 'ambiguous')
  script.failed('push', 'l', 'not-sent')
  script.call('push', 'l', 3)
  script.call('incr', 'c', BASE + 1)
  script.failed('incr', 'c', 'ambiguous')
  script.failed('incr', 'c', 'rejected')
  script.call('transaction', 'u', [1, BASE + 1, 'OK'])
  script.failed('transaction', 'u', 'ambiguous')
  script.values.set('v', written('v', 3))
  script.lists.set('l', [written('l', 5), written('l', 6), written('l', 8)])
  script.counters.set('c', { base: BASE, value: BASE + 2 })
  const list = [written('u', 12), written('u', 13)]
  script.units.set('u', { list, counter: { base: BASE, value: BASE + 2 }, marks: new Set(list) })
  return script
}

type Change = (script: Script) => void

const BAD: Readonly<Record<Exclude<keyof Verdict, 'unbalanced' | 'uncaught'>, Readonly<Record<string, Change>>>> = {
  crossed: {
    'an ECHO that got the nonce of another': (script) => script.call('echo', 'e', written('e', 1)),
    'an ECHO that got a reply of another kind': (script) => script.call('echo', 'e', 'OK'),
    'a GET that got the value of another key': (script) => script.call('get', 'v', written('w', 0)),
    'a GET that got nothing, where something is': (script) => script.call('get', 'v', null),
    'a GET that got a value that nobody wrote': (script) => script.call('get', 'v', written('v', 77)),
    'a SET that got a number': (script) => {
      const { id } = script.call('set', 'v', 3)
      script.values.set('v', written('v', id))
    },
    'a key that holds the value of another': (script) => script.values.set('v', written('w', 0)),
    'an RPUSH that got the length of another': (script) => script.call('push', 'l', 1, { id: 8 }),
    'an element in a list where nobody pushed it': (script) => script.lists.get('l')?.push(written('m', 5)),
    'an INCR that got the count of another': (script) => {
      script.call('incr', 'c', BASE + 1)
      script.counters.set('c', { base: BASE, value: BASE + 2 })
    },
    'an INCR that got the count of another counter': (script) => {
      script.call('incr', 'c', BASE * 2)
      script.counters.set('c', { base: BASE, value: BASE + 2 })
    },
    'a transaction that got the replies of another': (script) =>
      script.call('transaction', 'u', [1, BASE + 1, 'OK'], { id: 13 }),
    'a transaction that got something else': (script) => {
      const { id } = script.call('transaction', 'u', 'OK')
      append(script, written('u', id))
    },
  },
  lost: {
    'an acknowledged SET of which nothing is there': (script) => {
      script.values.set('v', written('v', 0))
    },
    'an acknowledged SET whose key is gone': (script) => {
      script.values.set('v', null)
    },
    'an acknowledged RPUSH that is not in the list': (script) => script.lists.get('l')?.pop(),
    'acknowledged INCRs that were not counted': (script) => {
      script.call('incr', 'd', BASE + 1)
      script.call('incr', 'd', BASE + 2)
      script.counters.set('d', { base: BASE, value: BASE + 1 })
    },
    'an acknowledged transaction of which nothing is there': (script) => {
      script.call('transaction', 'w', [1, BASE + 1, 'OK'])
      script.units.set('w', { list: [], counter: { base: BASE, value: BASE }, marks: new Set() })
    },
  },
  duplicated: {
    'an acknowledged RPUSH that is there twice': (script) => script.lists.get('l')?.push(written('l', 5)),
    'an ambiguous RPUSH that is there twice': (script) => script.lists.get('l')?.push(written('l', 6)),
    'more counted than was asked for': (script) => {
      script.counters.set('d', { base: BASE, value: BASE + 1 })
    },
    'a transaction that was applied twice': (script) => append(script, written('u', 12)),
  },
  falselyRejected: {
    'a SET that was not sent and is there': (script) => {
      const { id } = script.failed('set', 'v', 'not-sent')
      script.values.set('v', written('v', id))
    },
    'a SET that was rejected and was read': (script) => {
      const { id } = script.failed('set', 'v', 'rejected')
      script.call('get', 'v', written('v', id))
    },
    'an RPUSH that was not sent and is there': (script) => script.lists.get('l')?.push(written('l', 7)),
    'an INCR that was rejected and counted': (script) => {
      script.counters.set('c', { base: BASE, value: BASE + 3 })
    },
    'a transaction that was rejected and applied': (script) => {
      append(script, written('u', script.failed('transaction', 'u', 'rejected').id))
    },
  },
  unsettled: {
    'a call that never settled': (script) => script.failed('echo', 'e', 'open'),
    'a call that failed long after its deadline': (script) =>
      script.call('echo', 'e', undefined, { state: 'ambiguous', calledAt: 0, settledAt: DEADLINE + GRACE + 1 }),
    'a call that succeeded long after its deadline': (script) =>
      script.call('echo', 'e', written('e', 14), { calledAt: 0, settledAt: DEADLINE + GRACE + 1 }),
  },
  disordered: {
    'a read that went back behind what was acknowledged': (script) => {
      script.call('get', 'v', written('v', 0))
    },
    'a read of a write that another had replaced': (script) => {
      const { id } = script.call('set', 'v', 'OK')
      script.call('get', 'v', written('v', 3))
      script.values.set('v', written('v', id))
    },
    'the last of two writes, made first': (script) => {
      script.call('set', 'v', 'OK')
    },
    'elements in another order than they were pushed': (script) => {
      script.call('push', 'm', 2)
      script.call('push', 'm', 1)
      script.lists.set('m', [written('m', 15), written('m', 14)])
    },
    'counts in another order than they were asked for': (script) => {
      script.call('incr', 'd', BASE + 2)
      script.call('incr', 'd', BASE + 1)
      script.counters.set('d', { base: BASE, value: BASE + 2 })
    },
  },
  partial: {
    'an element without its mark': (script) => changeUnit(script, { marks: new Set([written('u', 12)]) }),
    'a mark without its element': (script) => {
      const { id } = script.failed('transaction', 'u', 'ambiguous')
      const list = [written('u', 12), written('u', 13)]
      changeUnit(script, { marks: new Set([...list, written('u', id)]) })
    },
    'a transaction that was not counted': (script) => changeUnit(script, { counter: { base: BASE, value: BASE + 1 } }),
    'a transaction that saw another one half done': (script) => {
      script.entries[11]!.reply = [1, BASE + 2, 'OK']
    },
  },
}

function changeUnit(script: Script, change: Partial<Unit>): void {
  const unit = script.units.get('u')
  assert.ok(unit)
  script.units.set('u', { ...unit, ...change })
}

/** Applies one more transaction as a whole. */
function append(script: Script, value: string): void {
  const unit = script.units.get('u')
  assert.ok(unit)
  const { list, counter, marks } = unit
  changeUnit(script, {
    list: [...list, value],
    counter: { ...counter, value: counter.value + 1 },
    marks: new Set([...marks, value]),
  })
}

describe('the checker', () => {
  it('finds nothing in a good history', () => assert.deepEqual(good().judge(), CLEAN))

  it('lets what is ambiguous be there or not, and late', () => {
    const script = good()
    script.failed('set', 'v', 'ambiguous')
    script.call('set', 'v', 'OK')
    script.call('get', 'v', written('v', 14))
    script.values.set('v', written('v', 14))
    script.lists.set('l', [written('l', 5), written('l', 8)])
    script.entries[7]!.reply = 2
    script.counters.set('c', { base: BASE, value: BASE + 1 })
    const list = [written('u', 12)]
    script.units.set('u', { list, counter: { base: BASE, value: BASE + 1 }, marks: new Set(list) })
    assert.deepEqual(script.judge(), CLEAN)
  })

  it('lets a read that began before a write was acknowledged see either value', () => {
    for (const id of [3, 14]) {
      const script = good()
      script.call('set', 'v', 'OK', { begun: 1_000, ended: 1_003 })
      script.call('get', 'v', written('v', id), { begun: 1_001, ended: 1_002 })
      script.values.set('v', written('v', 14))
      assert.deepEqual(script.judge(), CLEAN)
    }
  })

  for (const [verdict, changes] of Object.entries(BAD)) {
    for (const [what, change] of Object.entries(changes)) {
      it(`calls ${what} ${verdict}, and nothing else`, () => {
        const script = good()
        change(script)
        const found = script.judge()
        const fired = Object.entries(found).flatMap(([name, count]) => (count > 0 ? [name] : []))
        assert.deepEqual(fired, [verdict])
      })
    }
  }

  it('says in words what it found, and stops before it floods the terminal', () => {
    const script = new Script()
    script.values.set('v', written('v', 0))
    for (let round = 0; round < 100; round++) script.call('echo', 'e', 'x')
    const { verdict, examples } = check(script.entries, { ...script }, DEADLINE)
    assert.equal(verdict.crossed, 100)
    assert.ok(examples.length < 20)
    assert.equal(examples[0], 'crossed: call 1 of caller 0 (echo e) got "x"')
  })
})

describe('a history', () => {
  it('keeps how each call ended, and never rejects', async () => {
    const history = new History((error) => (error === 'sent' ? 'ambiguous' : undefined))
    const never = new Promise<string>(() => {})
    assert.equal(await history.record(0, 'echo', 'e', async (value) => value), true)
    assert.equal(await history.record(0, 'push', 'l', () => Promise.reject('sent')), false)
    assert.equal(
      await history.record(1, 'push', 'l', () => {
        throw new TypeError('no')
      }),
      false,
    )
    void history.record(1, 'get', 'v', () => never)
    assert.deepEqual(
      history.entries.map(({ state }) => state),
      ['ok', 'ambiguous', 'ambiguous', 'open'],
    )
    assert.equal(history.entries[0]?.reply, 'e=1')
    assert.deepEqual([history.open, history.succeeded, history.untyped], [1, 1, 1])
    assert.deepEqual(history.failed, { 'not-sent': 0, rejected: 0, ambiguous: 2 })
    assert.deepEqual(
      [...history.errors],
      [
        ['string', 1],
        ['TypeError', 1],
      ],
    )
  })

  it('tells what ended before another began', async () => {
    const history = new History(() => undefined)
    let finish = (_: string): void => {}
    const slow = history.record(
      0,
      'get',
      'a',
      () =>
        new Promise<string>((resolve) => {
          finish = resolve
        }),
    )
    await history.record(0, 'get', 'b', async () => 'x')
    finish('y')
    await slow
    const [a, b] = history.entries
    assert.ok(a && b && a.begun < b.begun && b.begun < b.ended && b.ended < a.ended)
  })
})
