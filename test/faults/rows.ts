// The list of all rows, in the order in which they run. Holds none itself.

import type { Row } from './row.js'
import { addresses } from './rows/addresses.js'
import { bytes } from './rows/bytes.js'
import { connections } from './rows/connections.js'
import { leaks } from './rows/leaks.js'
import { pool } from './rows/pool.js'
import { refusals } from './rows/refusals.js'
import { secrets } from './rows/secrets.js'
import { silence } from './rows/silence.js'

export const ROWS: readonly Row[] = [
  ...connections,
  ...silence,
  ...refusals,
  ...addresses,
  ...bytes,
  ...pool,
  ...leaks,
  ...secrets,
]
