// The list of all rows, in the order in which they run. Holds none itself.

import type { Row } from './row.js'
import { bytes } from './rows/bytes.js'
import { connections } from './rows/connections.js'
import { leaks } from './rows/leaks.js'
import { pool } from './rows/pool.js'
import { refusals } from './rows/refusals.js'
import { secrets } from './rows/secrets.js'

export const ROWS: readonly Row[] = [...connections, ...refusals, ...bytes, ...pool, ...leaks, ...secrets]
