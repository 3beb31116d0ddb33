// Samples of geospatial indexes.

import { call, type Sample } from './sample.js'

const G = { setUp: ['GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania'] }
const AT = { longitude: 15, latitude: 37 }
const WITH = ['WITHDIST', 'WITHHASH', 'WITHCOORD']
const RADIUS = { radius: 200, unit: 'km' }

export const GEO: readonly Sample[] = [
  call('GEOADD', ['g', { longitude: 2.35, latitude: 48.85, member: 'Paris' }], G),
  call('GEOADD', ['g', { longitude: 999, latitude: 48.85, member: 'nowhere' }]),
  call('GEODIST', ['g', 'Palermo', 'Catania', 'km'], G),
  call('GEODIST', ['g', 'Palermo', 'none'], G),
  call('GEOHASH', ['g', ['Palermo', 'none']], G),
  call('GEOPOS', ['g', ['Palermo', 'none']], G),
  call('GEORADIUS', ['g', AT, 200, 'km', { SORT: 'ASC' }], G),
  call('GEORADIUS_WITH', ['g', AT, 200, 'km', WITH, { SORT: 'ASC' }], G),
  call('GEORADIUS_RO', ['g', AT, 200, 'km', { COUNT: 1 }], G),
  call('GEORADIUS_RO_WITH', ['g', AT, 200, 'km', ['WITHDIST'], { SORT: 'DESC' }], G),
  call('GEORADIUS_STORE', ['g', AT, 200, 'km', 'to'], G),
  call('GEORADIUSBYMEMBER', ['g', 'Palermo', 200, 'km', { SORT: 'ASC' }], G),
  call('GEORADIUSBYMEMBER', ['g', 'none', 200, 'km'], G),
  call('GEORADIUSBYMEMBER_WITH', ['g', 'Palermo', 200, 'km', WITH, { SORT: 'ASC' }], G),
  call('GEORADIUSBYMEMBER_RO', ['g', 'Palermo', 200, 'km', { SORT: 'ASC' }], G),
  call('GEORADIUSBYMEMBER_RO_WITH', ['g', 'Palermo', 200, 'km', ['WITHCOORD'], { SORT: 'ASC' }], G),
  call('GEORADIUSBYMEMBER_STORE', ['g', 'Palermo', 200, 'km', 'to'], G),
  call('GEOSEARCH', ['g', 'Palermo', RADIUS, { SORT: 'ASC' }], G),
  call('GEOSEARCH', ['g', AT, { width: 400, height: 400, unit: 'km' }, { SORT: 'ASC' }], G),
  call('GEOSEARCH_WITH', ['g', AT, RADIUS, WITH, { SORT: 'ASC' }], G),
  call('GEOSEARCHSTORE', ['to', 'g', AT, RADIUS], G),
  call('GEOSEARCHSTORE', ['to', 'g', AT, RADIUS, { STOREDIST: true }], G),
]
