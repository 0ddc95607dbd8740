import type { Clock } from '@nightjar/firmware-bridge/clock.ts'
import type { Outcome } from '@nightjar/firmware-bridge/outcome.ts'
import type { TonightState } from '../contract/api.ts'
import type { Label } from '../contract/records.ts'
import type { ObservatoryControl } from '../observatory/control.ts'
import type { IngestOutcome, Origin } from '../observatory/ingestFile.ts'
import type { Store } from '../store/store.ts'

/** What the server needs of the daemon; `main` hands in the real one, tests a small one around a real store. */
export interface Daemon {
  readonly version: string
  readonly store: Store
  readonly clock: Clock
  /** The hardware, as people see and command it. */
  readonly control: ObservatoryControl
  tonight(): TonightState
  /** Begins the night; `by` is the user name that goes to the journal. */
  startNight(by: string): Promise<Outcome>
  /** Ends the night: stop exposing, park, close. */
  stopNight(by: string): Promise<Outcome>
  /** False while so many frames wait for the pipeline that no more should be brought. */
  hasRoom(): boolean
  /** Takes a FITS file as a frame; it is not needed any more when this resolves. */
  ingest(path: string, origin: Origin): Promise<IngestOutcome>
  /** Records what a person says about a detection. The server has checked that the detection exists. */
  label(detectionId: string, label: Label, by: string): Outcome | Promise<Outcome>
}
