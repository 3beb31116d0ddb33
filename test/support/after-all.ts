// Preloaded into every test file: when its tests are done, everything that they opened has to be closed. Timers that do
// not hold the process are left to leakCheck(), which costs more.

import { after } from 'node:test'
import { assertNoMore, census } from './leak-check.js'

const before = census()

after(() => assertNoMore(before))
