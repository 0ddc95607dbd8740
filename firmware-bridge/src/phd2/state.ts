import type { GuiderState } from '../devices/guider.ts'
import type { Phd2Event } from './messages.ts'

type Activity = GuiderState['activity']

/** Something that has ended: how often so far, and why the last time, undefined when well. */
export interface Ending {
  readonly count: number
  readonly problem: string | undefined
}

/** All that PHD2's events have told. */
export interface Phd2State {
  readonly version?: string | undefined
  readonly activity: Activity
  readonly settling: boolean
  readonly settled: Ending
  /** Guiding, calibrating or looping came to an end. */
  readonly stopped: Ending
  /** Arcsec per pixel of the guide camera. */
  readonly pixelScaleArcsec?: number | undefined
  /** Of the last steps, oldest first, at most `windowSteps`. */
  readonly steps: readonly { readonly raPixels: number; readonly decPixels: number }[]
  readonly alert?: string | undefined
}

/** How many guide steps the root mean square is made of. */
export const windowSteps = 100

const none: Ending = { count: 0, problem: undefined }
export const initialState: Phd2State = {
  activity: 'unknown',
  settling: false,
  settled: none,
  stopped: none,
  steps: [],
}

const appStates: Readonly<Record<string, Activity>> = {
  Stopped: 'stopped',
  Selected: 'stopped',
  Calibrating: 'calibrating',
  Guiding: 'guiding',
  LostLock: 'lost',
  Paused: 'paused',
  Looping: 'looping',
}

export function readAppState(word: unknown): Activity {
  return (typeof word === 'string' && Object.hasOwn(appStates, word) && appStates[word]) || 'unknown'
}

const end = (before: Ending, problem?: string): Ending => ({ count: before.count + 1, problem })

/** PHD2 tells its state in full only to a new client; after that the events say how it changes. */
export function reducePhd2(state: Phd2State, event: Phd2Event): Phd2State {
  switch (event.name) {
    case 'Version':
      return { ...state, version: event.version }
    case 'AppState':
      return withActivity(state, readAppState(event.state))
    case 'GuideStep':
      return takeStep(state, event)
    case 'StartGuiding':
      return { ...state, activity: 'guiding', steps: [], alert: undefined }
    case 'StartCalibration':
    case 'Calibrating':
      return { ...state, activity: 'calibrating' }
    case 'LoopingExposures':
      return state.activity === 'calibrating' ? state : { ...state, activity: 'looping' }
    case 'Paused':
      return { ...state, activity: 'paused' }
    case 'StarLost':
    case 'LockPositionLost':
      return { ...state, activity: 'lost' }
    case 'SettleBegin':
    case 'Settling':
      return { ...state, settling: true }
    case 'SettleDone':
      return { ...state, settling: false, settled: end(state.settled, event.error), steps: [] }
    case 'CalibrationFailed':
      return stop(state, `the calibration failed: ${event.reason}`)
    case 'GuidingStopped':
      return stop(state, 'guiding was stopped')
    case 'LoopingExposuresStopped':
      return stop(state, 'the guide camera was stopped')
    case 'Alert':
      return { ...state, alert: event.severity === 'info' ? state.alert : event.text }
    default:
      return state
  }
}

/** From `get_app_state`, or the greeting. */
export function withActivity(state: Phd2State, activity: Activity): Phd2State {
  const idle = activity === 'stopped' || activity === 'looping'
  return { ...state, activity, settling: state.settling && !idle }
}

const stop = (state: Phd2State, problem: string): Phd2State => ({
  ...state,
  activity: 'stopped',
  settling: false,
  stopped: end(state.stopped, problem),
})

function takeStep(state: Phd2State, step: { raPixels: number; decPixels: number }): Phd2State {
  const { raPixels, decPixels } = step
  return { ...state, activity: 'guiding', steps: [...state.steps, { raPixels, decPixels }].slice(-windowSteps) }
}

/** √(mean(ra² + dec²)) of the window, in pixels; undefined without steps. */
export function rmsPixels(state: Phd2State): number | undefined {
  if (state.steps.length === 0) return undefined
  const sum = state.steps.reduce((total, { raPixels, decPixels }) => total + raPixels ** 2 + decPixels ** 2, 0)
  return Math.sqrt(sum / state.steps.length)
}
