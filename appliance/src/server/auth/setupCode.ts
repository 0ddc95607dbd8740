import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Crockford's base 32: no I, L, O or U, so a code read aloud or typed on a phone survives. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A one-time code of 130 random bits as `XXXXX-XXXXX-…`, to be printed once beside the panel's address. */
export function createSetupCode(): string {
  const letters = [...randomBytes(26)].map((byte) => alphabet[byte & 31]).join('')
  return letters.replace(/(.{5})(?=.)/g, '$1-')
}

/** Compares in constant time, forgiving case, dashes, spaces and the look-alikes I, L and O. */
export function sameSetupCode(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted))
}

function digest(code: string): Buffer {
  const plain = code.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  return createHash('sha256').update(plain).digest()
}
