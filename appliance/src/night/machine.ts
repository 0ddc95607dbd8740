import type { NightPhase } from '../contract/api.ts'

/**
 * The phases of a night and the moves between them. Whatever happens, every phase leads to `closing`, and `closed` is
 * reached only with the mount confirmed parked.
 *
 *   closed → preparing → calibrating → observing → closing → closed
 *                  ↘          ↘           ↘      ↗
 *                   ───────→  fault  ────────────
 */
export const nightMoves: Readonly<Record<NightPhase, readonly NightPhase[]>> = {
  closed: ['preparing'],
  preparing: ['calibrating', 'closing', 'fault'],
  calibrating: ['observing', 'closing', 'fault'],
  observing: ['closing', 'fault'],
  closing: ['closed', 'fault'],
  fault: ['closing'],
}

export const mayMove = (from: NightPhase, to: NightPhase): boolean => nightMoves[from].includes(to)
