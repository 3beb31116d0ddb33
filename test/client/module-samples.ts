// Calls of every command of @redis/bloom, json, search and time-series: the arguments of each once in full and once as
// short as may be.

type Calls = readonly (readonly unknown[])[]

const K = 'key'
const BYTES = Buffer.from([0, 255, 1])

const BLOOM: Readonly<Record<string, Readonly<Record<string, Calls>>>> = {
  bf: {
    ADD: [
      [K, 'item'],
      [BYTES, BYTES],
    ],
    CARD: [[K]],
    EXISTS: [[K, 'item']],
    INFO: [[K]],
    INSERT: [
      [K, 'item'],
      [K, ['a', 'b'], { CAPACITY: 100, ERROR: 0.01, EXPANSION: 2, NOCREATE: true, NONSCALING: true }],
    ],
    LOADCHUNK: [[K, 1, BYTES]],
    MADD: [
      [K, ['a', 'b']],
      [K, 'a'],
    ],
    MEXISTS: [
      [K, ['a', 'b']],
      [K, 'a'],
    ],
    RESERVE: [
      [K, 0.01, 100],
      [K, 0.01, 100, { EXPANSION: 2, NONSCALING: true }],
    ],
    SCANDUMP: [[K, 0]],
  },
  cms: {
    INCRBY: [
      [K, { item: 'a', incrementBy: 2 }],
      [
        K,
        [
          { item: 'a', incrementBy: 2 },
          { item: BYTES, incrementBy: 1 },
        ],
      ],
    ],
    INFO: [[K]],
    INITBYDIM: [
      [K, 1000, 5],
      [K, 1000, 5, { CELL_SIZE: 8 }],
    ],
    INITBYPROB: [
      [K, 0.001, 0.01],
      [K, 0.001, 0.01, { CELL_SIZE: 8 }],
    ],
    MERGE: [
      [K, ['a', 'b']],
      [
        K,
        [
          { name: 'a', weight: 1 },
          { name: 'b', weight: 2 },
        ],
      ],
    ],
    QUERY: [
      [K, ['a', 'b']],
      [K, 'a'],
    ],
  },
  cf: {
    ADD: [[K, 'item']],
    ADDNX: [[K, 'item']],
    COUNT: [[K, 'item']],
    DEL: [[K, 'item']],
    EXISTS: [[K, 'item']],
    INFO: [[K]],
    INSERT: [
      [K, 'item'],
      [K, ['a', 'b'], { CAPACITY: 100, NOCREATE: true }],
    ],
    INSERTNX: [
      [K, 'item'],
      [K, ['a', 'b'], { CAPACITY: 100, NOCREATE: true }],
    ],
    LOADCHUNK: [[K, 1, BYTES]],
    MEXISTS: [[K, ['a', 'b']]],
    RESERVE: [
      [K, 100],
      [K, 100, { BUCKETSIZE: 2, MAXITERATIONS: 20, EXPANSION: 1 }],
    ],
    SCANDUMP: [[K, 0]],
  },
  tDigest: {
    ADD: [[K, [1, 2.5]]],
    BYRANK: [[K, [0, 1]]],
    BYREVRANK: [[K, [0, 1]]],
    CDF: [[K, [1, 2.5]]],
    CREATE: [[K], [K, { COMPRESSION: 100 }]],
    INFO: [[K]],
    MAX: [[K]],
    MERGE: [
      [K, 'a'],
      [K, ['a', 'b'], { COMPRESSION: 100, OVERRIDE: true }],
    ],
    MIN: [[K]],
    QUANTILE: [[K, [0.5, 0.99]]],
    RANK: [[K, [1, 2]]],
    RESET: [[K]],
    REVRANK: [[K, [1, 2]]],
    TRIMMED_MEAN: [[K, 0.1, 0.9]],
  },
  topK: {
    ADD: [
      [K, ['a', 'b']],
      [K, 'a'],
    ],
    COUNT: [[K, ['a', 'b']]],
    INCRBY: [
      [K, { item: 'a', incrementBy: 2 }],
      [K, [{ item: 'a', incrementBy: 2 }]],
    ],
    INFO: [[K]],
    LIST: [[K]],
    LIST_WITHCOUNT: [[K]],
    QUERY: [[K, ['a', 'b']]],
    RESERVE: [
      [K, 3],
      [K, 3, { width: 8, depth: 7, decay: 0.9 }],
    ],
  },
}

const VALUE = { text: 'x', list: [1, null, true], date: new Date(0) }

const JSON_CALLS: Readonly<Record<string, Calls>> = {
  ARRAPPEND: [
    [K, '$.a', 1],
    [K, '$.a', VALUE, 'x', null],
  ],
  ARRINDEX: [
    [K, '$.a', 'x'],
    [K, '$.a', VALUE, { range: { start: 1, stop: 3 } }],
    [K, '$.a', 1, { range: { start: 1 } }],
  ],
  ARRINSERT: [
    [K, '$.a', 0, 1],
    [K, '$.a', -1, VALUE, 2],
  ],
  ARRLEN: [[K], [K, { path: '$.a' }]],
  ARRPOP: [[K], [K, { path: '$.a' }], [K, { path: '$.a', index: 1 }]],
  ARRTRIM: [[K, '$.a', 0, 1]],
  CLEAR: [[K], [K, { path: '$.a' }]],
  DEBUG_MEMORY: [[K], [K, { path: '$.a' }]],
  DEL: [[K], [K, { path: '$.a' }]],
  FORGET: [[K], [K, { path: '$.a' }]],
  GET: [[K], [K, { path: '$.a' }], [K, { path: ['$.a', '$.b'] }]],
  MERGE: [[K, '$', VALUE]],
  MGET: [[['a', 'b'], '$']],
  MSET: [
    [
      [
        { key: 'a', path: '$', value: VALUE },
        { key: BYTES, path: '$.b', value: 1 },
      ],
    ],
  ],
  NUMINCRBY: [[K, '$.a', 1.5]],
  NUMMULTBY: [[K, '$.a', 2]],
  OBJKEYS: [[K], [K, { path: '$.a' }]],
  OBJLEN: [[K], [K, { path: '$.a' }]],
  SET: [
    [K, '$', VALUE],
    [K, '$', VALUE, { condition: 'NX' }],
    [K, '$', 'x', { XX: true }],
  ],
  STRAPPEND: [
    [K, 'x'],
    [K, 'x', { path: '$.a' }],
  ],
  STRLEN: [[K], [K, { path: '$.a' }]],
  TOGGLE: [[K, '$.a']],
  TYPE: [[K], [K, { path: '$.a' }]],
}

const SCHEMA = {
  title: { type: 'TEXT', WEIGHT: 2, SORTABLE: true, NOSTEM: true, PHONETIC: 'dm:en' },
  tags: { type: 'TAG', SEPARATOR: ',', CASESENSITIVE: true },
  price: 'NUMERIC',
  place: { type: 'GEO', AS: 'where' },
  vector: { type: 'VECTOR', ALGORITHM: 'HNSW', TYPE: 'FLOAT32', DIM: 2, DISTANCE_METRIC: 'L2', M: 4, EF_RUNTIME: 8 },
}
const AGGREGATION = {
  VERBATIM: true,
  LOAD: ['@title', { identifier: '@price', AS: 'p' }],
  STEPS: [
    {
      type: 'GROUPBY',
      properties: ['@title'],
      REDUCE: [
        { type: 'COUNT', AS: 'n' },
        { type: 'SUM', property: '@p' },
      ],
    },
    { type: 'SORTBY', BY: [{ BY: '@n', DIRECTION: 'DESC' }], MAX: 10 },
    { type: 'APPLY', expression: '@n * 2', AS: 'twice' },
    { type: 'LIMIT', from: 0, size: 10 },
    { type: 'FILTER', expression: '@n > 1' },
  ],
  PARAMS: { a: 'x', b: 2 },
  DIALECT: 2,
  TIMEOUT: 100,
}
const SEARCHING = {
  VERBATIM: true,
  NOSTOPWORDS: true,
  INKEYS: ['a'],
  INFIELDS: 'title',
  RETURN: ['title', 'price'],
  SUMMARIZE: { FIELDS: ['title'], FRAGS: 1, LEN: 5, SEPARATOR: '|' },
  HIGHLIGHT: { FIELDS: ['title'], TAGS: { open: '<b>', close: '</b>' } },
  SLOP: 1,
  TIMEOUT: 100,
  INORDER: true,
  LANGUAGE: 'english',
  SCORER: 'BM25',
  SORTBY: { BY: 'price', DIRECTION: 'DESC' },
  LIMIT: { from: 0, size: 5 },
  PARAMS: { a: 'x', b: 2 },
  DIALECT: 2,
}
const INDEX = 'index'

const SEARCH_CALLS: Readonly<Record<string, Calls>> = {
  _LIST: [[]],
  ALTER: [[INDEX, { extra: 'TEXT' }]],
  AGGREGATE: [
    [INDEX, '*'],
    [INDEX, '*', AGGREGATION],
  ],
  AGGREGATE_WITHCURSOR: [
    [INDEX, '*'],
    [INDEX, '*', { ...AGGREGATION, COUNT: 10, MAXIDLE: 1000 }],
  ],
  ALIASADD: [['alias', INDEX]],
  ALIASDEL: [['alias']],
  ALIASLIST: [[INDEX]],
  ALIASUPDATE: [['alias', INDEX]],
  CONFIG_GET: [['TIMEOUT']],
  CONFIG_SET: [['TIMEOUT', '100']],
  CREATE: [
    [INDEX, { title: 'TEXT' }],
    [
      INDEX,
      SCHEMA,
      { ON: 'HASH', PREFIX: ['a:', 'b:'], LANGUAGE: 'english', SCORE: 0.5, STOPWORDS: ['x'], TEMPORARY: 5 },
    ],
  ],
  CURSOR_DEL: [[INDEX, 1]],
  CURSOR_READ: [
    [INDEX, 1],
    [INDEX, 1, { COUNT: 10 }],
  ],
  DICTADD: [['dict', ['a', 'b']]],
  DICTDEL: [['dict', 'a']],
  DICTDUMP: [['dict']],
  DROPINDEX: [[INDEX], [INDEX, { DD: true }]],
  EXPLAIN: [
    [INDEX, '*'],
    [INDEX, '*', { PARAMS: { a: 'x' }, DIALECT: 2 }],
  ],
  EXPLAINCLI: [
    [INDEX, '*'],
    [INDEX, '*', { DIALECT: 2 }],
  ],
  HYBRID: [
    [INDEX, { SEARCH: { query: '*' }, VSIM: { field: '@vector', vector: '$v' }, PARAMS: { v: BYTES } }],
    [
      INDEX,
      {
        SEARCH: { query: '*', SCORER: 'BM25', YIELD_SCORE_AS: 's' },
        VSIM: { field: '@vector', vector: '$v', method: { type: 'KNN', K: 3, EF_RUNTIME: 8 }, FILTER: '@a:{b}' },
        COMBINE: { method: { type: 'RRF', WINDOW: 5, CONSTANT: 60 }, YIELD_SCORE_AS: 'c' },
        LOAD: ['@title'],
        GROUPBY: { fields: ['@title'], REDUCE: { type: 'COUNT', AS: 'n' } },
        APPLY: { expression: '@n * 2', AS: 'twice' },
        SORTBY: { fields: [{ field: '@n', direction: 'DESC' }] },
        FILTER: '@n > 1',
        LIMIT: { offset: 0, count: 5 },
        PARAMS: { v: BYTES },
        TIMEOUT: 100,
      },
    ],
  ],
  INFO: [[INDEX]],
  PROFILESEARCH: [
    [INDEX, '*'],
    [INDEX, '*', { LIMITED: true, ...SEARCHING }],
  ],
  PROFILEAGGREGATE: [
    [INDEX, '*'],
    [INDEX, '*', { LIMITED: true, ...AGGREGATION }],
  ],
  SEARCH: [
    [INDEX, '*'],
    [INDEX, '*', SEARCHING],
  ],
  SEARCH_NOCONTENT: [
    [INDEX, '*'],
    [INDEX, '*', SEARCHING],
  ],
  SPELLCHECK: [
    [INDEX, 'helo'],
    [INDEX, 'helo', { DISTANCE: 2, TERMS: { mode: 'INCLUDE', dictionary: 'dict' }, DIALECT: 2 }],
  ],
  SUGADD: [
    [K, 'text', 1],
    [K, 'text', 1, { INCR: true, PAYLOAD: 'p' }],
  ],
  SUGDEL: [[K, 'text']],
  SUGGET: [
    [K, 'te'],
    [K, 'te', { FUZZY: true, MAX: 5 }],
  ],
  SUGGET_WITHPAYLOADS: [[K, 'te', { MAX: 5 }]],
  SUGGET_WITHSCORES: [[K, 'te']],
  SUGGET_WITHSCORES_WITHPAYLOADS: [[K, 'te', { FUZZY: true }]],
  SUGLEN: [[K]],
  SYNDUMP: [[INDEX]],
  SYNUPDATE: [
    [INDEX, 'group', ['a', 'b']],
    [INDEX, 'group', 'a', { SKIPINITIALSCAN: true }],
  ],
  TAGVALS: [[INDEX, 'tags']],
}

const LABELS = { LABELS: { a: 'x', b: 'y' } }
const STORING = { RETENTION: 60_000, ENCODING: 'UNCOMPRESSED', CHUNK_SIZE: 4096, DUPLICATE_POLICY: 'LAST', ...LABELS }
const BUCKETS = { type: 'AVG', timeBucket: 1000, BUCKETTIMESTAMP: '-', EMPTY: true }
const RANGE = {
  LATEST: true,
  FILTER_BY_TS: [1, new Date(2)],
  FILTER_BY_VALUE: { min: 0, max: 10 },
  COUNT: 5,
  ALIGN: '-',
  AGGREGATION: BUCKETS,
}
const MULTI = { COUNT: 5, ALIGN: '-', AGGREGATION: { types: ['AVG', 'MAX'], timeBucket: 1000, EMPTY: true } }
const GROUP = { label: 'a', REDUCE: 'MAX' }
const MANY = [
  ['-', '+', 'a=x'],
  [0, new Date(10), ['a=x', 'b!=y'], RANGE],
]
const MANY_GROUPED = [
  ['-', '+', 'a=x', GROUP],
  [0, 10, ['a=x'], GROUP, RANGE],
]
const MANY_AGGREGATED = [['-', '+', 'a=x', MULTI]]
const SELECTED = [
  ['-', '+', 'a', 'a=x'],
  ['-', '+', ['a', 'b'], ['a=x'], RANGE],
]

const SERIES_CALLS: Readonly<Record<string, Calls>> = {
  ADD: [
    [K, '*', 1],
    [K, 1, 2.5, { ...STORING, ON_DUPLICATE: 'SUM', IGNORE: { maxTimeDiff: 1, maxValDiff: 2 } }],
  ],
  ALTER: [[K], [K, { RETENTION: 1000, CHUNK_SIZE: 128, DUPLICATE_POLICY: 'MIN', ...LABELS }]],
  CREATE: [[K], [K, STORING]],
  CREATERULE: [
    [K, 'to', 'AVG', 1000],
    [K, 'to', 'AVG', 1000, 5],
  ],
  DECRBY: [
    [K, 1],
    [K, 1, { TIMESTAMP: 5, RETENTION: 1000, UNCOMPRESSED: true, CHUNK_SIZE: 128, ...LABELS }],
  ],
  DEL: [
    [K, '-', '+'],
    [K, 1, new Date(2)],
  ],
  DELETERULE: [[K, 'to']],
  GET: [[K], [K, { LATEST: true }]],
  INCRBY: [
    [K, 1],
    [K, 1, { TIMESTAMP: '*', RETENTION: 1000, UNCOMPRESSED: true, CHUNK_SIZE: 128, ...LABELS }],
  ],
  INFO: [[K]],
  INFO_DEBUG: [[K]],
  MADD: [
    [
      [
        { key: 'a', timestamp: '*', value: 1 },
        { key: 'b', timestamp: 5, value: 2 },
      ],
    ],
  ],
  MGET: [['a=x'], [['a=x', 'b=y'], { LATEST: true }]],
  MGET_SELECTED_LABELS: [
    ['a=x', 'a'],
    [['a=x'], ['a', 'b'], { LATEST: true }],
  ],
  MGET_WITHLABELS: [['a=x'], [['a=x'], { LATEST: true }]],
  MRANGE: MANY,
  MRANGE_GROUPBY: MANY_GROUPED,
  MRANGE_MULTIAGGR: MANY_AGGREGATED,
  MRANGE_SELECTED_LABELS: SELECTED,
  MRANGE_SELECTED_LABELS_GROUPBY: [
    ['-', '+', ['a'], 'a=x', GROUP],
    ['-', '+', 'a', ['a=x'], GROUP, RANGE],
  ],
  MRANGE_SELECTED_LABELS_MULTIAGGR: [['-', '+', ['a'], 'a=x', MULTI]],
  MRANGE_WITHLABELS: MANY,
  MRANGE_WITHLABELS_GROUPBY: MANY_GROUPED,
  MRANGE_WITHLABELS_MULTIAGGR: MANY_AGGREGATED,
  MREVRANGE: MANY,
  MREVRANGE_GROUPBY: MANY_GROUPED,
  MREVRANGE_MULTIAGGR: MANY_AGGREGATED,
  MREVRANGE_SELECTED_LABELS: SELECTED,
  MREVRANGE_SELECTED_LABELS_GROUPBY: [['-', '+', ['a'], 'a=x', GROUP]],
  MREVRANGE_SELECTED_LABELS_MULTIAGGR: [['-', '+', ['a'], 'a=x', MULTI]],
  MREVRANGE_WITHLABELS: MANY,
  MREVRANGE_WITHLABELS_GROUPBY: MANY_GROUPED,
  MREVRANGE_WITHLABELS_MULTIAGGR: MANY_AGGREGATED,
  NRANGE: [
    [['a', 'b'], '-', '+'],
    ['a', '-', '+', { AGGREGATION: { types: [['AVG', 'MAX']], timeBucket: 1000 } }],
  ],
  NREVRANGE: [[['a', 'b'], '-', '+', { COUNT: 5 }]],
  QUERYINDEX: [['a=x'], [['a=x', 'b=y']]],
  QUERYLABELS: [['a=x']],
  QUERYLABELS_VALUES: [['a', 'a=x']],
  RANGE: [
    [K, '-', '+'],
    [K, 0, 10, RANGE],
  ],
  RANGE_MULTIAGGR: [[K, '-', '+', MULTI]],
  READ: [
    [K, '-'],
    [K, '$', { BLOCK: { milliseconds: 100, minCount: 2 }, MAX_COUNT: 5 }],
    ['BLOCK', 5, { MAX_COUNT: 5 }],
  ],
  REVRANGE: [
    [K, '-', '+'],
    [K, 0, 10, RANGE],
  ],
  REVRANGE_MULTIAGGR: [[K, '-', '+', MULTI]],
}

/** By module, as a handle names it, and by method. */
export const MODULE_SAMPLES: Readonly<Record<string, Readonly<Record<string, Calls>>>> = {
  ...BLOOM,
  json: JSON_CALLS,
  ft: SEARCH_CALLS,
  ts: SERIES_CALLS,
}
