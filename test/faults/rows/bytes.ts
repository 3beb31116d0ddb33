// Rows E: the bytes themselves, in the order of the matrix.

import type { Row } from '../row.js'
import { hostileReplies } from './bytes-hostile.js'
import { replyOrder } from './bytes-order.js'
import { values } from './bytes-values.js'

export const bytes: readonly Row[] = [...replyOrder, ...hostileReplies, ...values]
