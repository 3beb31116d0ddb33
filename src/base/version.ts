// Owns the version of this package, as told to servers and printed by the command line. A test keeps it true.

export const VERSION = '0.1.0'
