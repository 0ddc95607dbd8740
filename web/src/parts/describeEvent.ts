import type { JournalEvent } from '@nightjar/appliance/contract/events.ts'
import { hasWords, t } from '../locales/t.ts'

/** One event in a few words, or undefined for those that say nothing to people (logins, exposures that go well). */
export function describeEvent(event: JournalEvent): string | undefined {
  switch (event.type) {
    case 'frame.captured':
      return t('event.frame.captured', { field: event.body.fieldId })
    case 'frame.calibrated':
      return t('event.frame.calibrated', { stars: event.body.quality.stars })
    case 'frame.rejected':
      return t('event.frame.rejected', { reason: event.body.reasons.join(', ') })
    case 'master.built':
      return t('event.master.built', { type: t(`type.${event.body.type}`), n: event.body.frames })
    case 'reference.built':
      return t('event.reference.built', { field: event.body.fieldId, n: event.body.frames })
    case 'candidates.found':
      return t('event.candidates.found', { n: event.body.candidates })
    case 'detections.scored':
      return t('event.detections.scored', { n: event.body.kept, all: event.body.scored })
    case 'night.changed': {
      const key = `phase.${event.body.to}`
      return hasWords(key) ? t(key) : event.body.to
    }
    case 'panic.pressed': {
      const { by, reason } = event.body
      return reason ? t('panic.because', { reason }) : t('event.panic.pressed', { by })
    }
    case 'exposure.started':
    case 'label.given':
      return undefined
    default: {
      const key = `event.${event.type}`
      return hasWords(key) ? t(key, event.body as Record<string, string | number>) : undefined
    }
  }
}
