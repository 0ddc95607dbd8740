import type { AlertEnvelope, AlertReceipt, CentralObject } from '../contract/alert.ts'

/** Alerts this close are of the same object, arc seconds. */
export const sameObjectArcsec = 2

/** Where the central catalogue keeps what it received. Throws `central/unavailable` when it cannot answer now. */
export interface AlertStorage extends AsyncDisposable {
  readonly kind: 'postgresql' | 'sqlite'
  /**
   * Commits the whole batch, then returns a receipt for each. A known event with the same or a lower revision is left as
   * it is; a higher revision takes its place.
   */
  ingest(alerts: readonly AlertEnvelope[], atMs: number): Promise<AlertReceipt[]>
  /** The highest revision of an event. */
  alert(eventId: string): Promise<AlertEnvelope | undefined>
  /** Objects within `radiusDeg` of a place (ICRS degrees), nearest first. */
  objectsNear(raDeg: number, decDeg: number, radiusDeg: number, limit: number): Promise<CentralObject[]>
  counts(): Promise<{ readonly alerts: number; readonly objects: number }>
}
