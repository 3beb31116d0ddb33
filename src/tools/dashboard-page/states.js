// Owns the places of connections as they are shown: in which order, under which words.

/** @import { PoolStats } from '../../index.js' */
/** @typedef {Exclude<keyof PoolStats['connections'], 'total'>} Place */

/** From the bottom of the chart up. @type {readonly { place: Place, says: string }[]} */
export const PLACES = [
  { place: 'leased', says: 'held by one caller' },
  { place: 'shared', says: 'carries the commands of many' },
  { place: 'late', says: 'shared, and owes a reply for too long' },
  { place: 'draining', says: 'answers what it owes and takes nothing new' },
  { place: 'idle', says: 'ready for anybody' },
  { place: 'connecting', says: 'being made' },
  { place: 'closing', says: 'ended here, and not yet let go by the server' },
]
