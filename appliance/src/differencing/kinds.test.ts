import { describe, expect, test } from 'vitest'
import { type Change, kindsOf } from './kinds.ts'

const size = { width: 200, height: 200 }
const nothing = { distancePixels: 30, fluxAdu: 0 }

function change(given: Partial<Change>): Change {
  const { fluxAdu = 1000 } = given
  return {
    x: 100,
    y: 100,
    scorr: fluxAdu / 50,
    fluxAdu,
    fluxErrorAdu: 50,
    referenceFluxAdu: 0,
    star: nothing,
    ...given,
  }
}

const kinds = (...changes: Change[]): string[] => kindsOf(changes, 3, size).map(({ kind }) => kind)

describe('the kind of a change', () => {
  test('is new off the stars, and variable within 0.7 FWHM of one', () => {
    expect(kinds(change({}))).toEqual(['new'])
    expect(kinds(change({ star: { distancePixels: 2, fluxAdu: 9000 } }))).toEqual(['variable'])
    expect(kinds(change({ star: { distancePixels: 2.2, fluxAdu: 9000 } }))).toEqual(['new'])
  })

  test('is faded where more than half of a star went, and variable where less did', () => {
    const star = { distancePixels: 0.5, fluxAdu: 1500 }
    expect(kinds(change({ fluxAdu: -1000, star }))).toEqual(['faded'])
    expect(kinds(change({ fluxAdu: -700, star }))).toEqual(['variable'])
    expect(kinds(change({ fluxAdu: -700 }))).toEqual(['faded'])
  })

  test('is moved at both ends of a source that left one place for another up to 20 px away', () => {
    const left = change({ fluxAdu: -1050, referenceFluxAdu: 1050 })
    const came = change({ x: 109, y: 112 })
    const [one, other] = kindsOf([left, came], 3, size)
    expect(one).toEqual({ kind: 'moved', partner: { index: 1, x: 109, y: 112, separationPixels: 15 } })
    expect(other!.partner).toMatchObject({ index: 0, x: 100, y: 100 })
    expect(kinds(left, change({ x: 121 }))).toEqual(['faded', 'new'])
  })

  test('is not moved when the fluxes differ, or when the star that the loss lies on stayed', () => {
    expect(kinds(change({ fluxAdu: -2000 }), change({ x: 105 }))).toEqual(['faded', 'new'])
    expect(kinds(change({ fluxAdu: -1000, referenceFluxAdu: 50_000 }), change({ x: 105 }))).toEqual(['faded', 'new'])
  })

  test('is moved for the nearest match only', () => {
    const left = change({ fluxAdu: -1000, referenceFluxAdu: 1000 })
    expect(kinds(change({ x: 112 }), left, change({ x: 95 }))).toEqual(['new', 'moved', 'moved'])
  })
})
